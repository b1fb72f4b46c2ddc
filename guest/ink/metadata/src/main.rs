//! Prints the metadata of the contract: ink! puts a function that describes it into its host build, as `cargo contract` uses it.

extern crate flipper as _;

unsafe extern "Rust" {
    fn __ink_generate_metadata() -> ink::metadata::InkProject;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: ink!'s macro defines the function in the contract's crate, with this signature and of this version of ink!.
    let project = unsafe { __ink_generate_metadata() };
    println!("{}", serde_json::to_string_pretty(&project)?);
    Ok(())
}
