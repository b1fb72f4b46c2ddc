//! What must hold of a runtime's configuration; checked by the runtime's own tests.

use crate::{Config, Pallet, host_api::HostFunction, limits, metering::cost::Cost};
use alloc::collections::BTreeSet;
use frame_support::{dispatch::DispatchClass, traits::Get};

/// Panics where the configuration can't work, which is what an integrity test does.
pub(crate) fn check<T: Config>() {
    assert!(T::RefTimePerGas::get() > 0, "RefTimePerGas must not be zero: the VM's gas would cost nothing");
    assert!(T::NativeToEthRatio::get() > 0, "NativeToEthRatio must not be zero: contracts would see no balances");

    let names: BTreeSet<_> = HostFunction::ALL.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), HostFunction::ALL.len(), "two host functions have the same name");

    // The longest program must be loadable within the gas an extrinsic can have, or it could be
    // stored but never run.
    let load = Cost::LoadCode(limits::BLOB_BYTES).weight::<T::WeightInfo>();
    let max = Pallet::<T>::max_gas_limit();
    assert!(load.all_lte(max), "loading the longest program takes {load:?}, an extrinsic has at most {max:?}");

    // It must fit an extrinsic, too, with its call data.
    let longest = limits::BLOB_BYTES.saturating_add(limits::CALLDATA_BYTES);
    let room = *T::BlockLength::get().max.get(DispatchClass::Normal);
    assert!(longest < room, "the longest program and call data have {longest} bytes, an extrinsic at most {room}");
}
