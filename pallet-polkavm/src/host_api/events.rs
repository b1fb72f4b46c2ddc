//! Events: `deposit_event`.

use super::{Args, Halt, Host, HostResult, low};
use crate::{Config, Error, limits, metering::cost::Cost};
use alloc::{format, vec::Vec};
use sp_core::H256;

/// `deposit_event(topics_ptr, num_topics, data_ptr, data_len)`: emits
/// [`crate::Event::ContractEmitted`] with topics of 32 bytes each.
pub(super) fn deposit_event<T: Config>(host: &mut Host<'_, T>, args: Args) -> HostResult {
    let [topics_ptr, num_topics] = [low(args[0]), low(args[1])];
    let [data_ptr, data_len] = [low(args[2]), low(args[3])];
    let _ = host.charge(Cost::DepositEvent { topics: num_topics, len: data_len })?;
    host.stack.ensure_may_write()?;
    if num_topics > limits::EVENT_TOPICS {
        return Err(Halt::failed::<T>(
            Error::TooManyTopics,
            format!("the event has {num_topics} topics, the limit is {}", limits::EVENT_TOPICS),
        ));
    }
    if data_len > limits::EVENT_BYTES {
        return Err(Halt::failed::<T>(
            Error::EventTooLarge,
            format!("the event has {data_len} bytes of data, the limit is {}", limits::EVENT_BYTES),
        ));
    }
    let topics: Vec<H256> = if num_topics == 0 {
        // The pointer of an empty list may have any value.
        Vec::new()
    } else {
        host.read(topics_ptr, num_topics * 32)?.chunks_exact(32).map(H256::from_slice).collect()
    };
    let data = host.read(data_ptr, data_len)?;
    host.stack.emit(topics, data);
    Ok(None)
}
