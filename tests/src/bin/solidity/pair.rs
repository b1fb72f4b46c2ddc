//! A factory that creates a pair of two tokens, and trades on it.

use anyhow::{Result, ensure};
use integration_tests::chain::{Chain, event, shown};

pub fn run(chain: &Chain) -> Result<()> {
    let alice = chain.account("//Alice")?;
    // The factory creates pairs from a program that must already be stored.
    chain.upload("Pair")?;
    let factory = chain.deploy("Factory", &[])?;
    let (one, other) = (chain.deploy("Token", &["1000000"])?, chain.deploy("Token", &["1000000"])?);
    let (first, second) = if one.address < other.address { (one, other) } else { (other, one) };

    let created = factory.send("createPair", &[&second.address, &first.address])?;
    let told = event(&created, "PairCreated")?;
    ensure!(told["token0"] == first.address.as_str() && told["count"] == "1", "another event: {told}");
    let pair = chain.at("Pair", &shown(&told["pair"]))?;
    factory.expect("getPair", &[&first.address, &second.address], &pair.address)?;
    pair.expect("factory", &[], &factory.address)?;
    factory.refused("createPair", &[&first.address, &second.address], "there is a pair")?;
    pair.refused("initialize", &[&first.address, &second.address], "forbidden")?;

    // Shares for the amounts sent in: the square root of the product, minus a thousand.
    first.send("transfer", &[&pair.address, "10000"])?;
    second.send("transfer", &[&pair.address, "40000"])?;
    pair.send("mint", &[&alice])?;
    pair.expect("balanceOf", &[&alice], "19000")?;

    // A thousand in at 0.3 %: 997 * 40000 / (10000 + 997) out, and not one more.
    first.send("transfer", &[&pair.address, "1000"])?;
    pair.refused("swap", &["0", "3627", &alice], "K")?;
    let swapped = pair.send("swap", &["0", "3626", &alice])?;
    ensure!(event(&swapped, "Swap")?["in0"] == "1000", "another event: {swapped:#}");
    second.expect("balanceOf", &[&pair.address], "36374")?;
    pair.refused("swap", &["0", "1", &alice], "nothing paid")?;

    // Half of the shares for half of the reserves.
    pair.send("transfer", &[&pair.address, "10000"])?;
    let burned = event(&pair.send("burn", &[&alice])?, "Burn")?;
    ensure!(burned["amount0"] == "5500" && burned["amount1"] == "18187", "another event: {burned}");
    pair.expect("totalSupply", &[], "10000")
}
