//! Tests of upload and removal of programs: refusals with their errors, and deposits.

use crate::program::{Contract, at};
use crate::{Call, CodeInfoOf, Error, Event, HoldReason, PristineCode, TiedCode, code::code_deposit, limits, mock::*};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use proptest::prelude::*;
use sp_runtime::DispatchError;
use vm_core::{
    blob::BlobBuilder,
    isa::{Instruction, Isa, Opcode, Reg},
};

fn held(who: &sp_runtime::AccountId32) -> Balance {
    Balances::balance_on_hold(&HoldReason::CodeUploadDepositReserve.into(), who)
}

/// Returns the error and the sentence with which an upload is refused.
fn refused(code: Vec<u8>) -> (DispatchError, String) {
    let failure = unchanged(|| Polkavm::bare_upload_code(ALICE, code, None).unwrap_err());
    (failure.error, failure.detail)
}

/// Code runs with the semantics version that it was stored with, never with a newer one.
#[test]
fn code_keeps_the_semantics_that_it_was_stored_with() {
    run(|| {
        let contract = deploy(Contract::with_call().ret().build());
        let code_hash = Polkavm::contract_info(contract).unwrap().code_hash;
        let info = CodeInfoOf::<Test>::get(code_hash).unwrap();
        assert_eq!((info.behaviour_version, info.semantics), (0, crate::code::SEMANTICS));
        // Older records have one number of 32 bits in their place, which was zero.
        assert_eq!((0u16, 0u16).encode(), 0u32.encode());
        // A version that a later release knows, and this one does not.
        CodeInfoOf::<Test>::mutate(code_hash, |info| info.as_mut().unwrap().semantics = 9);
        let failure = unchanged(|| call(contract, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::ExecutionFailed.into());
        assert!(failure.detail.contains("semantics of instructions has the number 9"), "{}", failure.detail);
    });
}

#[test]
fn an_upload_stores_the_code_and_holds_a_deposit_for_each_byte() {
    run(|| {
        let code = Contract::with_call().host("caller", &[at(0)]).host("now", &[at(0)]).ret().build();
        let code_hash = crate::code::code_hash(&code);
        assert_ok!(dispatch(ALICE, Call::upload_code { code: code.clone(), storage_deposit_limit: START }));
        let deposit = code_deposit::<Test>(code.len() as u32);
        assert!(deposit > code.len() as Balance * PER_BYTE);
        assert_eq!(held(&ALICE), deposit);
        assert_eq!(Polkavm::code(code_hash), Some(code));
        let info = CodeInfoOf::<Test>::get(code_hash).unwrap();
        assert_eq!((info.owner, info.use_count), (ALICE, 0));
        assert_eq!(info.imports.to_vec(), [crate::host_api::HostFunction::Caller, crate::host_api::HostFunction::Now]);
        assert_eq!(events(), [Event::CodeStored { code_hash, deposit_held: deposit, uploader: ALICE }]);
    });
}

#[test]
fn the_same_code_is_stored_and_paid_once() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let code_hash = upload(code.clone());
        let second = unchanged(|| Polkavm::bare_upload_code(BOB, code, Some(0))).unwrap();
        assert_eq!((second.code_hash, second.deposit), (code_hash, 0));
    });
}

#[test]
fn an_upload_over_its_deposit_limit_or_its_uploaders_means_is_refused() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let deposit = code_deposit::<Test>(code.len() as u32);
        let upload = |limit| Call::upload_code { code: code.clone(), storage_deposit_limit: limit };
        assert_noop!(dispatch(ALICE, upload(deposit - 1)), Error::<Test>::StorageDepositLimitExhausted);
        let poor = sp_runtime::AccountId32::new([8; 32]);
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), poor.clone(), deposit));
        assert_noop!(dispatch(poor, upload(START)), Error::<Test>::StorageDepositNotEnoughFunds);
        assert_ok!(dispatch(ALICE, upload(deposit)));
    });
}

#[test]
fn only_the_owner_removes_code_and_only_when_no_contract_runs_it() {
    run(|| {
        let code_hash = upload(Contract::with_call().ret().build());
        assert_noop!(dispatch(BOB, Call::remove_code { code_hash }), DispatchError::BadOrigin);
        let deposit = held(&ALICE);
        assert_ok!(dispatch(ALICE, Call::remove_code { code_hash }));
        assert_eq!(held(&ALICE), 0);
        assert_eq!(Polkavm::code(code_hash), None);
        assert_eq!(events().last(), Some(&Event::CodeRemoved { code_hash, deposit_released: deposit, remover: ALICE }));
        assert_noop!(dispatch(ALICE, Call::remove_code { code_hash }), Error::<Test>::CodeNotFound);

        let used = Contract::with_call().trap().build();
        deploy(used.clone());
        let code_hash = crate::code::code_hash(&used);
        assert_noop!(dispatch(ALICE, Call::remove_code { code_hash }), Error::<Test>::CodeInUse);
    });
}

#[test]
fn an_unknown_import_is_refused_by_its_name() {
    run(|| {
        let code = Contract::with_call().import(b"caller").import(b"launch_rockets").ret().build();
        let (error, detail) = refused(code.clone());
        assert_eq!(error, Error::<Test>::UnknownImport.into());
        assert_eq!(detail, "import 1 is `launch_rockets`, which is no host function of this chain");
        // And so is it when the upload is part of an instantiation.
        let failure = unchanged(|| instantiate(code, 0, &[]).result.unwrap_err());
        assert_eq!(failure.error, Error::<Test>::UnknownImport.into());

        let ugly = Contract::with_call().import(&[b'\n'; 1000]).ret().build();
        let (error, detail) = refused(ugly);
        assert_eq!(error, Error::<Test>::UnknownImport.into());
        assert!(detail.len() < 250 && !detail.contains('\n'), "{detail}");
    });
}

#[test]
fn missing_exports_are_refused_by_name() {
    run(|| {
        let (error, detail) = refused(Contract::new().ret().build());
        assert_eq!(error, Error::<Test>::NoCallExport.into());
        assert_eq!(detail, "the blob has no export named `call`");
        let (error, detail) = refused(Contract::with_call().without_deploy().ret().build());
        assert_eq!(error, Error::<Test>::NoDeployExport.into());
        assert_eq!(detail, "the blob has no export named `deploy`");
    });
}

#[test]
fn too_long_too_big_and_too_many_are_refused_with_limit_and_value() {
    run(|| {
        let (error, detail) = refused(vec![0; limits::BLOB_BYTES as usize + 1]);
        assert_eq!(error, Error::<Test>::BlobTooLarge.into());
        assert_eq!(detail, "the blob has 1048577 bytes, the limit is 1048576");

        let (error, detail) = refused(Contract::with_call().stack(limits::STATIC_MEMORY_BYTES).ret().build());
        assert_eq!(error, Error::<Test>::MemoryTooLarge.into());
        assert!(detail.contains(&limits::STATIC_MEMORY_BYTES.to_string()), "{detail}");
        let (error, _) = refused(Contract::with_call().stack(u32::MAX).ret().build());
        assert_eq!(error, Error::<Test>::MemoryTooLarge.into());

        let block = |len: u32| {
            let mut contract = Contract::with_call();
            for _ in 0..len - 1 {
                contract = contract.op(Instruction::rr(Opcode::MoveReg, Reg::A0, Reg::A1));
            }
            contract.ret().build()
        };
        upload(block(limits::BASIC_BLOCK_INSTRUCTIONS));
        let (error, detail) = refused(block(limits::BASIC_BLOCK_INSTRUCTIONS + 1));
        assert_eq!(error, Error::<Test>::BasicBlockTooLarge.into());
        assert!(detail.contains("1001") && detail.contains("1000"), "{detail}");

        let mut many = Contract::with_call();
        for _ in 0..crate::code::MAX_IMPORTS {
            many = many.import(b"caller");
        }
        let (error, detail) = refused(many.import(b"caller").ret().build());
        assert_eq!(error, Error::<Test>::TooManyImports.into());
        assert!(detail.contains(&crate::code::MAX_IMPORTS.to_string()), "{detail}");
    });
}

#[test]
fn other_instruction_sets_and_bytes_that_are_no_program_are_refused() {
    run(|| {
        for isa in [Isa::Latest32, Isa::JamV1] {
            let code = BlobBuilder::new(isa)
                .export(b"deploy", 0)
                .export(b"call", 0)
                .instructions(vec![Instruction::ri(Opcode::JumpIndirect, Reg::RA, 0)])
                .build()
                .unwrap();
            let (error, detail) = refused(code);
            assert_eq!(error, Error::<Test>::UnsupportedIsa.into());
            assert!(detail.contains(&format!("{isa:?}")), "{detail}");
        }
        let mut latest64 = Contract::with_call().ret().build();
        latest64[4] = 2;
        let (error, detail) = refused(latest64);
        assert_eq!(error, Error::<Test>::UnsupportedIsa.into());
        assert!(detail.contains("Latest64"), "{detail}");

        assert_eq!(refused(vec![]).0, Error::<Test>::InvalidBlob.into());
        assert_eq!(refused(b"\x7fELF".to_vec()).0, Error::<Test>::InvalidBlob.into());
        let good = Contract::with_call().ret().build();
        assert_eq!(refused(good[..good.len() - 1].to_vec()).0, Error::<Test>::InvalidBlob.into());
        assert_eq!(refused([good.as_slice(), &[0]].concat()).0, Error::<Test>::InvalidBlob.into());

        let undefined = BlobBuilder::new(Isa::ReviveV1)
            .export(b"deploy", 0)
            .export(b"call", 0)
            .raw_code(vec![0xff], vec![1])
            .build()
            .unwrap();
        assert_eq!(refused(undefined).0, Error::<Test>::InvalidInstruction.into());
    });
}

/// The check of a random program never panics; if it passes, running the program doesn't either.
fn survives(code: Vec<u8>) {
    if let Ok(uploaded) = Polkavm::bare_upload_code(ALICE, code, None) {
        let code = crate::types::Code::Existing(uploaded.code_hash);
        let limits =
            crate::Limits { gas: frame_support::weights::Weight::from_parts(2_000_000_000, 1 << 20), deposit: None };
        let _ =
            Polkavm::bare_instantiate(ALICE, 0, limits, code, vec![], Some([0; 32]), crate::ExecConfig::extrinsic());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(cases in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 100)) {
        run(|| cases.iter().cloned().for_each(survives));
    }

    #[test]
    fn damaged_programs_never_panic(cases in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 100)) {
        let good = Contract::new()
            .host("call_data_copy", &[at(0), 32, 0])
            .host("set_storage", &[0, at(0), 32, at(32), 32])
            .give(0, 32)
            .call()
            .host("get_storage", &[0, at(0), 32, at(0), at(64)])
            .host("deposit_event", &[at(0), 2, at(0), 100])
            .ret()
            .build();
        // The writable data is mostly zeros that don't matter; damage the rest.
        run(|| for (index, byte) in cases.clone() {
            let mut bad = good.clone();
            let at = index.index(bad.len());
            bad[at] = byte;
            survives(bad);
        });
    }

    #[test]
    fn random_code_in_a_sound_blob_never_panics(cases in proptest::collection::vec(
        (proptest::collection::vec(any::<u8>(), 1..80), proptest::collection::vec(any::<u8>(), 10)), 100,
    )) {
        run(|| for (code, bitmask) in cases.clone() {
            let mut bitmask = bitmask[..code.len().div_ceil(8)].to_vec();
            bitmask[0] |= 1;
            let padding = bitmask.len() * 8 - code.len();
            if let Some(last) = bitmask.last_mut() {
                *last &= 0xff >> padding;
            }
            let mut builder = BlobBuilder::new(Isa::ReviveV1);
            builder.stack_size(4096).rw_data(4096, &[]).export(b"deploy", 0).export(b"call", 0);
            for (name, _) in crate::host_api::HostFunction::ALL {
                builder.import(name.as_bytes());
            }
            survives(builder.raw_code(code, bitmask).build().unwrap());
        });
    }
}

#[test]
fn code_that_came_with_a_contract_goes_with_the_last_one() {
    run(|| {
        let before = Balances::free_balance(&ALICE);
        let code = super::puppet::puppet();
        let hash = crate::code::code_hash(&code);
        let first = deploy(code.clone());
        let second = deploy(code);
        let end = |contract| {
            let input = [crate::precompiles::abi::selector("terminate(address)").as_slice(), &[0; 32]].concat();
            let mut script = super::puppet::Script::new();
            let builtin = crate::precompiles::address(0x900);
            script.call_into(builtin, &Default::default(), &input, super::puppet::NO_OUTPUT).expect(0);
            assert!(call(contract, &script.encode()).result.is_ok());
        };
        end(first);
        assert_eq!(CodeInfoOf::<Test>::get(hash).unwrap().use_count, 1);
        end(second);
        assert!(CodeInfoOf::<Test>::get(hash).is_none() && PristineCode::<Test>::get(hash).is_none());
        assert_eq!(Balances::free_balance(&ALICE), before, "all deposits are back");
        let removed = |event: &Event<Test>| matches!(event, Event::CodeRemoved { code_hash, .. } if *code_hash == hash);
        assert!(events().iter().any(removed));
    });
}

#[test]
fn code_that_was_uploaded_stays_until_its_owner_removes_it() {
    run(|| {
        let code = super::puppet::puppet();
        let hash = crate::code::code_hash(&code);
        let a = deploy(code.clone());
        // Somebody else's upload changes nothing.
        Polkavm::bare_upload_code(BOB, code.clone(), None).unwrap();
        assert!(TiedCode::<Test>::contains_key(hash));
        upload(code.clone());
        let other = upload(Contract::with_call().ret().build());
        let mut script = super::puppet::Script::new();
        let input = [crate::precompiles::abi::selector("setCodeHash(bytes32)").as_slice(), other.as_bytes()].concat();
        let builtin = crate::precompiles::address(0x900);
        script.call_into(builtin, &Default::default(), &input, super::puppet::NO_OUTPUT).expect(0);
        call(a, &script.encode()).result.unwrap();
        assert_eq!(CodeInfoOf::<Test>::get(hash).unwrap().use_count, 0);
        // Instantiating a contract from its bytes afterwards doesn't tie it again.
        deploy(code);
        assert!(!TiedCode::<Test>::contains_key(hash));
    });
}

#[test]
fn code_that_a_contract_leaves_for_another_program_goes_as_well() {
    run(|| {
        let code = super::puppet::puppet();
        let hash = crate::code::code_hash(&code);
        let a = deploy(code);
        let other = upload(Contract::with_call().ret().build());
        let change = |script: &mut super::puppet::Script, to: sp_core::H256| {
            let input = [crate::precompiles::abi::selector("setCodeHash(bytes32)").as_slice(), to.as_bytes()].concat();
            let builtin = crate::precompiles::address(0x900);
            script.call_into(builtin, &Default::default(), &input, super::puppet::NO_OUTPUT).expect(0);
        };
        // Changed and changed back in one call: it is still its program.
        let mut script = super::puppet::Script::new();
        change(&mut script, other);
        change(&mut script, hash);
        call(a, &script.encode()).result.unwrap();
        assert!(CodeInfoOf::<Test>::contains_key(hash));
        let mut script = super::puppet::Script::new();
        change(&mut script, other);
        let executed = call(a, &script.encode());
        assert!(executed.result.is_ok());
        assert!(!CodeInfoOf::<Test>::contains_key(hash));
        assert!(matches!(executed.storage_deposit, crate::types::Deposit::Refund(_)));
    });
}

#[test]
fn root_gives_a_contract_another_program() {
    run(|| {
        let code = super::puppet::puppet();
        let (old, a) = (crate::code::code_hash(&code), deploy(code));
        let new = upload(Contract::with_call().data(0, b"new").give(0, 3).build());
        let set = |dest, code_hash| Polkavm::set_code(RuntimeOrigin::root(), dest, code_hash);
        assert_noop!(Polkavm::set_code(RuntimeOrigin::signed(ALICE), a, new), DispatchError::BadOrigin);
        assert_noop!(set(sp_core::H160([9; 20]), new), Error::<Test>::ContractNotFound);
        unchanged(|| {
            let failed = frame_support::storage::with_storage_layer(|| set(a, sp_core::H256([1; 32])));
            assert_eq!(failed, Err(Error::<Test>::CodeNotFound.into()));
        });
        assert_ok!(set(a, new));
        assert_eq!(call(a, &[]).result.unwrap().data, b"new");
        assert!(events().contains(&Event::ContractCodeUpdated { contract: a, code_hash: new, old_code_hash: old }));
        assert!(!CodeInfoOf::<Test>::contains_key(old), "it came with the contract and goes with it");
        assert_ok!(set(a, new));
        assert_eq!(CodeInfoOf::<Test>::get(new).unwrap().use_count, 1);
    });
}
