//! `pvm debug --web`: a page for browsers.

use super::listener::{Listener, failed};
use super::load;
use crate::args::DebugArgs;
use crate::output::Output;
use crate::subject::Subject;
use crate::{Error, exit};
use pvm_debugger::navigator::{Navigator, Sources};
use pvm_debugger::web;
use std::path::Path;

/// Serves the page until the process is ended.
///
/// # Errors
/// If the run cannot be loaded, or the page cannot be served.
pub fn execute(args: &DebugArgs) -> Result<u8, Error> {
    let Subject { machine, symbols, .. } = load(args)?;
    let place = args.listen.as_deref().unwrap_or("0");
    let named = |source| failed(place, source);
    let Listener::Tcp(listener) = Listener::open(place)? else {
        return Err(Error::NotAPort { place: place.to_owned() });
    };
    let path = args.subject.record.as_ref().or(args.subject.blob.as_ref());
    let folder = path.and_then(|path| path.parent()).unwrap_or(Path::new(""));
    let sources = Sources::new(vec![folder.to_owned(), ".".into()]);
    let token = web::token().map_err(|source| Error::Read { path: "random numbers".to_owned(), source })?;
    let address = listener.local_addr().map_err(named)?;
    let mut output = Output::open();
    output.print(format_args!("open this in a browser, and end with Ctrl-C:\n  http://{address}/{token}/\n"))?;
    output.finish()?;
    web::serve(&listener, Navigator::new(machine, symbols), sources, &token)?;
    Ok(exit::DONE)
}
