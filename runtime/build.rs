//! Builds the wasm runtime, unless the crate itself is being built for wasm; and the previous one, if requested.

fn main() {
    #[cfg(feature = "substrate-wasm-builder")]
    {
        use substrate_wasm_builder::WasmBuilder;

        // In this order, as both are built in the same folder and share dependencies.
        #[cfg(feature = "predecessor-wasm")]
        WasmBuilder::init_with_defaults()
            .enable_feature("in-runtime-interpreter")
            .set_file_name("predecessor.rs")
            .build();
        WasmBuilder::build_using_defaults();
    }
}
