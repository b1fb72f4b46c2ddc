//! Chain specifications by name. Their genesis states are presets of the runtime.

use runtime::WASM_BINARY;
use sc_service::{ChainType, Properties};

/// Chain specification without extensions.
pub type ChainSpec = sc_service::GenericChainSpec;

fn wasm() -> Result<&'static [u8], String> {
    WASM_BINARY.ok_or_else(|| {
        "this node was built without its wasm runtime (SKIP_WASM_BUILD was set): build it again without".into()
    })
}

fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), "UNIT".into());
    properties.insert("tokenDecimals".into(), 12.into());
    properties.insert("ss58Format".into(), 42.into());
    properties
}

fn from_preset(name: &str, id: &str, chain_type: ChainType, preset: &str) -> Result<ChainSpec, String> {
    Ok(ChainSpec::builder(wasm()?, None)
        .with_name(name)
        .with_id(id)
        .with_chain_type(chain_type)
        .with_genesis_config_preset_name(preset)
        .with_properties(properties())
        .build())
}

/// Development chain (`--dev`): one authority, Alice.
pub fn development() -> Result<ChainSpec, String> {
    from_preset("Development", "dev", ChainType::Development, sp_genesis_builder::DEV_RUNTIME_PRESET)
}

/// Two authorities, Alice and Bob: for networks on one machine.
pub fn local() -> Result<ChainSpec, String> {
    let preset = sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET;
    from_preset("Local Testnet", "local_testnet", ChainType::Local, preset)
}

/// Replaces the genesis runtime of a chain. The rest of the genesis state remains as the built-in runtime computed it.
pub fn with_code(spec: &ChainSpec, code: &[u8]) -> Result<ChainSpec, String> {
    let mut json: serde_json::Value = serde_json::from_str(&spec.as_json(true)?).map_err(|error| error.to_string())?;
    let top = json.pointer_mut("/genesis/raw/top").and_then(serde_json::Value::as_object_mut);
    let top = top.ok_or("a raw chain specification has no storage")?;
    let hex = |bytes: &[u8]| sp_core::bytes::to_hex(bytes, false);
    top.insert(hex(sp_core::storage::well_known_keys::CODE), hex(code).into());
    ChainSpec::from_json_bytes(json.to_string().into_bytes())
}
