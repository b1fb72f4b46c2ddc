//! Mapping accounts, and who may act without.

use crate::program::Contract;
use crate::{Call, Error, Event, HoldReason, address::mapping_deposit, mock::*};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_core::H160;

#[test]
fn mapping_holds_a_deposit_and_unmapping_releases_it() {
    run(|| {
        let deposit = mapping_deposit::<Test>();
        assert_eq!(deposit, 52 * PER_BYTE + PER_ITEM);
        let address = Polkavm::view_address(&CHARLIE);
        assert_ok!(dispatch(CHARLIE, Call::map_account {}));
        assert_eq!(Balances::balance_on_hold(&HoldReason::AddressMapping.into(), &CHARLIE), deposit);
        assert_eq!(Polkavm::view_account_id(&address), CHARLIE);
        assert_noop!(dispatch(CHARLIE, Call::map_account {}), Error::<Test>::AccountAlreadyMapped);

        assert_ok!(dispatch(CHARLIE, Call::unmap_account {}));
        assert_eq!(Balances::free_balance(&CHARLIE), START);
        assert_eq!(Polkavm::view_account_id(&address), ethereum_account(address));
        assert_noop!(dispatch(CHARLIE, Call::unmap_account {}), Error::<Test>::AccountNotMapped);
        assert_eq!(
            events(),
            [
                Event::AccountMapped { account: CHARLIE, address, deposit },
                Event::AccountUnmapped { account: CHARLIE, address, released: deposit },
            ]
        );
    });
}

#[test]
fn accounts_derived_from_an_ethereum_address_need_no_mapping_and_get_none() {
    run(|| {
        let eth = ethereum_account(H160([7; 20]));
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), eth.clone(), START));
        assert_noop!(dispatch(eth.clone(), Call::map_account {}), Error::<Test>::AccountAlreadyMapped);
        let contract = deploy(Contract::with_call().host("caller", &[crate::program::at(0)]).give(0, 20).build());
        let execution = Polkavm::bare_call(eth, contract, 0, no_limits(), vec![], crate::ExecConfig::extrinsic());
        assert_eq!(execution.result.unwrap().data, [7; 20]);
    });
}

#[test]
fn an_account_that_cannot_pay_is_not_mapped() {
    run(|| {
        let poor = sp_runtime::AccountId32::new([8; 32]);
        assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), poor.clone(), ED));
        assert!(unchanged(|| dispatch(poor, Call::map_account {})).is_err());
    });
}

#[test]
fn an_unmapped_account_can_upload_but_neither_call_nor_instantiate() {
    run(|| {
        let code = Contract::with_call().ret().build();
        let contract = deploy(code.clone());
        let code_hash = crate::code::code_hash(&code);
        let call = Call::call { dest: contract, value: 1, gas_limit: GAS, storage_deposit_limit: START, data: vec![] };
        let error = unchanged(|| dispatch(CHARLIE, call).unwrap_err());
        assert_eq!(error.error, Error::<Test>::AccountUnmapped.into());
        let instantiate = Call::instantiate {
            value: 0,
            gas_limit: GAS,
            storage_deposit_limit: START,
            code_hash,
            data: vec![],
            salt: None,
        };
        let error = unchanged(|| dispatch(CHARLIE, instantiate).unwrap_err());
        assert_eq!(error.error, Error::<Test>::AccountUnmapped.into());
        let other = Contract::with_call().trap().build();
        assert_ok!(dispatch(CHARLIE, Call::upload_code { code: other, storage_deposit_limit: START }));
    });
}
