//! Tests of the transient storage.

use super::{
    nested::{default, failure, output, stored, two},
    puppet::{Call, SCRATCH, Script},
};
use crate::{ContractInfoOf, Error, limits, mock::*};
use pallet_revive_uapi::ReturnErrorCode;

const ALLOW_REENTRY: u32 = 8;
const TAIL_CALL: u32 = 4;
/// The flag of storage host functions that selects it.
const TRANSIENT: u64 = 1;

/// Writes to, or reads from, the transient storage.
fn transient(script: &mut Script, key: u8, value: Option<u8>) {
    let key = script.bytes(&[key; 32]);
    match value {
        Some(value) => {
            let value = script.bytes(&[value; 32]);
            script.host("set_storage_or_clear", &[TRANSIENT, key, value]);
        }
        None => {
            script.host("get_storage_or_zero", &[TRANSIENT, key, SCRATCH]);
        }
    }
}

#[test]
fn transient_storage_lasts_as_long_as_its_transaction() {
    run(|| {
        let (a, b) = two();
        let read = |key: u8| {
            let mut script = Script::new();
            transient(&mut script, key, None);
            script.give(0, SCRATCH, 32);
            script
        };
        let allowed = Call { flags: ALLOW_REENTRY | TAIL_CALL, ..default() };
        let mut script = Script::new();
        transient(&mut script, 1, Some(7));
        script.expect(u32::MAX.into());
        transient(&mut script, 1, Some(8));
        script.expect(32);
        script.call(a, &allowed, &read(1)).trap();
        assert_eq!(output(a, &script).data, [8; 32], "another frame of the contract sees it");
        assert_eq!(output(a, &read(1)).data, [0; 32], "another transaction doesn't");

        let mut script = Script::new();
        transient(&mut script, 1, Some(7));
        script.call(b, &allowed, &read(1)).trap();
        assert_eq!(output(a, &script).data, [0; 32], "another contract doesn't");

        // It is undone with its frame, and separate from persistent storage.
        let mut undone = Script::new();
        transient(&mut undone, 1, Some(9));
        undone.revert(b"");
        let mut script = Script::new();
        transient(&mut script, 1, Some(7));
        script.call(a, &Call { flags: ALLOW_REENTRY, ..default() }, &undone).expect(2);
        transient(&mut script, 1, None);
        script.give(0, SCRATCH, 32);
        assert_eq!(output(a, &script).data, [7; 32]);
        assert_eq!(stored(a, 1), None);
        assert_eq!(ContractInfoOf::<Test>::get(a).unwrap().storage_items, 0);
    });
}

#[test]
fn transient_storage_has_a_limit_that_frames_give_back() {
    run(|| {
        let (a, b) = two();
        // A value of 416 bytes and its undoing.
        let fill = |script: &mut Script, from: u32, count: u32| {
            for number in from..from + count {
                let key = script.bytes(&number.to_le_bytes());
                script.host("set_storage", &[TRANSIENT, key, 4, SCRATCH, 416]);
            }
        };
        let per_value = 32 + 4 + 416 + 32 + 4;
        let most = limits::TRANSIENT_STORAGE_BYTES / per_value;
        let mut script = Script::new();
        fill(&mut script, 0, most);
        assert!(call(a, &script.encode()).result.is_ok());
        fill(&mut script, most, 1);
        assert_eq!(failure(a, &script).error, Error::<Test>::OutOfTransientStorage.into());
        // Space taken by a failed frame is free again.
        let mut inner = Script::new();
        fill(&mut inner, 0, most);
        inner.trap();
        let mut script = Script::new();
        script.call(b, &default(), &inner).expect(ReturnErrorCode::CalleeTrapped as u64);
        fill(&mut script, 0, most);
        assert!(call(a, &script.encode()).result.is_ok());
    });
}
