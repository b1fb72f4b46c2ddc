//! OpenZeppelin's ERC-721, sent to a contract that receives and to one that doesn't.

use anyhow::{Result, ensure};
use integration_tests::chain::{BOB, Chain, event};

pub fn run(chain: &Chain) -> Result<()> {
    let (alice, bob) = (chain.account("//Alice")?, chain.account(BOB)?);
    let nft = chain.deploy("Nft", &[])?;
    let made = nft.send("mint", &[&alice])?;
    ensure!(event(&made, "Transfer")?["tokenId"] == "1", "another event: {made:#}");
    nft.send("mint", &[&bob])?;
    nft.refused_as(BOB, 0, "mint", &[&bob], "OwnableUnauthorizedAccount")?;
    nft.expect("ownerOf", &["2"], &bob)?;
    nft.refused("ownerOf", &["3"], "ERC721NonexistentToken")?;
    nft.refused("transferFrom", &[&bob, &alice, "2"], "ERC721InsufficientApproval")?;
    nft.send_as(BOB, 0, "approve", &[&alice, "2"])?;
    nft.send("transferFrom", &[&bob, &alice, "2"])?;
    nft.expect("balanceOf", &[&alice], "2")?;

    // A safe transfer calls the receiver, if it is a contract.
    let collector = chain.deploy("Collector", &[&nft.address])?;
    let safe = "safeTransferFrom(address,address,uint256)";
    nft.send(safe, &[&alice, &collector.address, "1"])?;
    nft.expect("ownerOf", &["1"], &collector.address)?;
    collector.expect("received", &[], "1")?;
    let other = chain.deploy("Collector", &[&bob])?;
    nft.refused(safe, &[&alice, &other.address, "2"], "another kind")?;
    nft.refused(safe, &[&alice, &nft.address, "2"], "ERC721InvalidReceiver")
}
