//! The metadata of ink! contracts: messages by selector, arguments and results in SCALE according to a type registry.

use super::{Decoded, Encoded, Returns, described};
use crate::{
    error::Error,
    value::{decode, to_json},
};
use scale_info::PortableRegistry;
use serde::Deserialize;
use serde_json::Value as Json;
use subxt::ext::scale_value::{scale::encode_as_type, stringify};

/// The parts of a contract's metadata (version 5 and later) that are used.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    spec: Spec,
    /// Under `types`.
    #[serde(flatten)]
    types: PortableRegistry,
}

#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(default)]
    constructors: Vec<Message>,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    label: String,
    /// Four bytes in hex.
    selector: String,
    #[serde(default)]
    args: Vec<Argument>,
    return_type: Option<Type>,
}

#[derive(Debug, Deserialize)]
struct Event {
    label: String,
    #[serde(default)]
    args: Vec<Argument>,
    /// The first topic; `None` for an anonymous event.
    #[serde(default)]
    signature_topic: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Argument {
    label: String,
    #[serde(rename = "type")]
    ty: Type,
}

#[derive(Debug, Deserialize)]
struct Type {
    #[serde(rename = "type")]
    id: u32,
}

impl Message {
    fn selector(&self) -> Option<[u8; 4]> {
        super::bytes(&self.selector)
    }
}

impl Metadata {
    /// Reads metadata that was parsed as JSON.
    ///
    /// # Errors
    ///
    /// The first malformed part.
    pub fn parse(json: Json) -> Result<Self, String> {
        let metadata: Self = serde_json::from_value(json).map_err(|error| format!("no ink! metadata: {error}"))?;
        for message in metadata.spec.messages.iter().chain(&metadata.spec.constructors) {
            if message.selector().is_none() {
                return Err(format!(
                    "{} has the selector {}, which is not four bytes",
                    message.label, message.selector
                ));
            }
        }
        Ok(metadata)
    }

    pub fn message(&self, name: &str, arguments: &[String]) -> Result<Encoded, Error> {
        self.encode(find(&self.spec.messages, "message", name)?, arguments)
    }

    pub fn constructor(&self, name: Option<&str>, arguments: &[String]) -> Result<Encoded, Error> {
        let constructors = &self.spec.constructors;
        let constructor = match (name, constructors.as_slice()) {
            (Some(name), all) => find(all, "constructor", name)?,
            (None, [one]) => one,
            (None, all) => {
                return Err(Error::Usage(format!("name the constructor with --message. There are: {}", labels(all))));
            }
        };
        self.encode(constructor, arguments)
    }

    fn encode(&self, message: &Message, arguments: &[String]) -> Result<Encoded, Error> {
        let (wanted, given) = (message.args.len(), arguments.len());
        if wanted != given {
            return Err(Error::Usage(format!("{} takes {wanted} arguments, {given} were given", message.label)));
        }
        let mut data = message.selector().unwrap_or_default().to_vec();
        for (parameter, argument) in message.args.iter().zip(arguments) {
            let wrong = |reason: String| Error::Usage(format!("`{argument}` is no {}: {reason}", parameter.label));
            let text = literal(argument);
            let (value, rest) = stringify::from_str(&text);
            let value = value.map_err(|error| wrong(error.to_string()))?;
            if !rest.trim().is_empty() {
                return Err(wrong(format!("`{rest}` is too much")));
            }
            encode_as_type(&value, parameter.ty.id, &self.types, &mut data)
                .map_err(|error| wrong(error.to_string()))?;
        }
        let returns = message.return_type.as_ref().map_or(Returns::Unknown, |ty| Returns::Ink(ty.id));
        Ok(Encoded { data, returns })
    }

    pub fn result(&self, name: &str, data: &[u8]) -> Result<Option<Json>, Error> {
        let message = find(&self.spec.messages, "message", name)?;
        Ok(message.return_type.as_ref().and_then(|ty| self.value(ty.id, data)))
    }

    /// Decodes a value that must span all of the data.
    pub fn value(&self, id: u32, data: &[u8]) -> Option<Json> {
        let mut rest = data;
        let value = decode(&self.types, id, &mut rest).ok()?;
        rest.is_empty().then(|| to_json(&self.types, &value))
    }

    pub fn call(&self, data: &[u8]) -> Option<Json> {
        let (selector, arguments) = data.split_first_chunk::<4>()?;
        let all = self.spec.messages.iter().chain(&self.spec.constructors);
        let message = all.into_iter().find(|message| message.selector().as_ref() == Some(selector))?;
        Some(described("message", &message.label, self.arguments(&message.args, arguments)?))
    }

    pub fn event(&self, topics: &[[u8; 32]], data: &[u8]) -> Option<Json> {
        let first = topics.first()?;
        let has_topic =
            |event: &&Event| event.signature_topic.as_deref().and_then(super::bytes).as_ref() == Some(first);
        let event = self.spec.events.iter().find(has_topic)?;
        Some(described("event", &event.label, self.arguments(&event.args, data)?))
    }

    fn arguments(&self, parameters: &[Argument], data: &[u8]) -> Option<Vec<(String, Decoded)>> {
        let mut rest = data;
        let mut arguments = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let value = decode(&self.types, parameter.ty.id, &mut rest).ok()?;
            arguments.push((parameter.label.clone(), Decoded::of(to_json(&self.types, &value))));
        }
        rest.is_empty().then_some(arguments)
    }

    /// Decodes the result of the message that was called with `input`.
    pub fn result_of(&self, input: &[u8], data: &[u8]) -> Option<Json> {
        let selector = input.first_chunk::<4>()?;
        let all = self.spec.messages.iter().chain(&self.spec.constructors);
        let message = all.into_iter().find(|message| message.selector().as_ref() == Some(selector))?;
        self.value(message.return_type.as_ref()?.id, data)
    }

    /// Returns the names of all messages.
    pub fn messages(&self) -> Vec<String> {
        self.spec.messages.iter().map(|message| message.label.clone()).collect()
    }
}

fn find<'all>(all: &'all [Message], what: &str, name: &str) -> Result<&'all Message, Error> {
    all.iter()
        .find(|message| message.label == name)
        .ok_or_else(|| Error::Usage(format!("the contract has no {what} {name}. There are: {}", labels(all))))
}

fn labels(all: &[Message]) -> String {
    all.iter().map(|message| message.label.as_str()).collect::<Vec<_>>().join(", ")
}

/// Returns an argument in the notation for SCALE values, in which bytes in hex are a list.
fn literal(argument: &str) -> String {
    let digits = argument.strip_prefix("0x").filter(|digits| digits.len() % 2 == 0);
    match digits.and_then(|digits| hex::decode(digits).ok()) {
        Some(bytes) => {
            let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
            format!("({})", items.join(", "))
        }
        None => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        abi::{Interface, Reader},
        money::Units,
    };
    use serde_json::json;

    /// Metadata as ink! generates it, without the parts that are not used.
    const FLIPPER: &str = r#"{
        "source": { "language": "ink! 6.0.0" },
        "version": 6,
        "spec": {
            "constructors": [
                { "label": "new", "selector": "0x9bae9d5e", "args": [{ "label": "init", "type": { "displayName": ["bool"], "type": 0 } }],
                  "returnType": { "displayName": [], "type": 3 } }
            ],
            "messages": [
                { "label": "flip", "selector": "0x633aa551", "args": [], "returnType": { "type": 3 } },
                { "label": "set", "selector": "0x01020304", "returnType": { "type": 3 }, "args": [
                    { "label": "who", "type": { "type": 4 } }, { "label": "amount", "type": { "type": 5 } } ] }
            ],
            "events": [
                { "label": "Set", "signature_topic": "0x0101010101010101010101010101010101010101010101010101010101010101",
                  "args": [{ "label": "amount", "indexed": false, "type": { "type": 5 } }] }
            ]
        },
        "types": [
            { "id": 0, "type": { "def": { "primitive": "bool" } } },
            { "id": 1, "type": { "def": { "tuple": [] } } },
            { "id": 2, "type": { "path": ["ink_primitives", "LangError"], "def": { "variant": { "variants": [ { "index": 1, "name": "CouldNotReadInput" } ] } } } },
            { "id": 3, "type": { "path": ["Result"], "params": [ { "name": "T", "type": 0 }, { "name": "E", "type": 2 } ],
              "def": { "variant": { "variants": [
                { "fields": [ { "type": 0 } ], "index": 0, "name": "Ok" },
                { "fields": [ { "type": 2 } ], "index": 1, "name": "Err" } ] } } } },
            { "id": 4, "type": { "def": { "array": { "len": 4, "type": 6 } } } },
            { "id": 5, "type": { "def": { "primitive": "u128" } } },
            { "id": 6, "type": { "def": { "primitive": "u8" } } }
        ]
    }"#;

    fn flipper() -> Interface {
        Interface::parse(FLIPPER).unwrap()
    }

    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(|argument| (*argument).into()).collect()
    }

    #[test]
    fn messages_and_constructors_are_encoded_by_their_types() {
        let interface = flipper();
        assert_eq!(
            interface.constructor(None, &owned(&["true"]), Units::Offline).unwrap().data,
            [0x9b, 0xae, 0x9d, 0x5e, 1]
        );
        assert_eq!(interface.message("flip", &[], Units::Offline).unwrap().data, [0x63, 0x3a, 0xa5, 0x51]);
        let set = interface.message("set", &owned(&["0x0a0b0c0d", "7"]), Units::Offline).unwrap().data;
        assert_eq!(set, [&[1, 2, 3, 4, 10, 11, 12, 13, 7][..], &[0; 15]].concat());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let interface = flipper();
        let refused = |name: &str, arguments: &[&str]| {
            interface.message(name, &owned(arguments), Units::Offline).unwrap_err().to_string()
        };
        assert!(refused("flop", &[]).contains("flip, set"));
        assert!(refused("set", &["0x0a0b0c0d"]).contains("takes 2 arguments, 1 were given"));
        assert!(refused("set", &["0x0a0b", "7"]).contains("who"));
        assert!(refused("set", &["0x0a0b0c0d", "true"]).contains("amount"));
        assert!(refused("set", &["0x0a0b0c0d", "7 8"]).contains("too much"));
        assert!(interface.constructor(Some("old"), &[], Units::Offline).is_err());
        let broken = FLIPPER.replace("0x633aa551", "0x63");
        assert!(Interface::parse(&broken).is_err_and(|reason| reason.contains("not four bytes")));
    }

    #[test]
    fn results_calls_and_events_are_read_back() {
        let interface = flipper();
        let returns = interface.message("flip", &[], Units::Offline).unwrap().returns;
        let reader = Reader::new(vec![flipper()], returns);
        assert_eq!(reader.output(&[0, 1]).map(|it| it.json), Some(json!({ "Ok": [true] })));
        assert_eq!(reader.output(&[1, 1]).map(|it| it.json), Some(json!({ "Err": ["CouldNotReadInput"] })));
        assert!(reader.output(&[0, 1, 1]).is_none());
        assert!(reader.output(&[]).is_none());
        let data = interface.message("set", &owned(&["0x0a0b0c0d", "7"]), Units::Offline).unwrap().data;
        let expected = json!({ "message": "set", "arguments": { "who": "0x0a0b0c0d", "amount": "7" }, "text": "set(who: 0x0a0b0c0d, amount: 7)" });
        assert_eq!(interface.call(&data), Some(expected));
        let amount = 9_u128.to_le_bytes();
        let expected = json!({ "event": "Set", "arguments": { "amount": "9" }, "text": "Set(amount: 9)" });
        assert_eq!(interface.event(&[[1; 32]], &amount), Some(expected));
        assert_eq!(interface.event(&[[2; 32]], &amount), None);
    }

    /// The metadata of `guest/ink/flipper`, as made by ink! 6 itself.
    #[test]
    fn metadata_of_ink_itself_is_read() {
        let read = || Interface::parse(include_str!("testdata/ink-flipper.json")).unwrap();
        let interface = read();
        let constructor = interface.constructor(Some("new"), &owned(&["true"]), Units::Offline).unwrap();
        assert_eq!(constructor.data, [0x9b, 0xae, 0x9d, 0x5e, 1]);
        let set = interface.message("set", &owned(&["false"]), Units::Offline).unwrap();
        assert_eq!((set.data.len(), set.data[4]), (5, 0));
        let reader = Reader::new(vec![read()], set.returns);
        assert_eq!(reader.output(&[0, 0]).map(|it| it.json), Some(json!({ "Ok": [{ "Ok": [[]] }] })));
        assert_eq!(reader.error(&[0, 1, 0]), Some(json!({ "Ok": [{ "Err": ["Same"] }] })));
        let topics = [hash("994bbbf08f2794d6a02bb9b3613583a00d0791d672087c233834de2ea07aa5f4"), [0; 32]];
        let data = [&[7; 20][..], &[1]].concat();
        let arguments = json!({ "by": format!("0x{}", "07".repeat(20)), "value": true });
        let text = format!("Flipped(by: 0x{}, value: true)", "07".repeat(20));
        assert_eq!(
            interface.event(&topics, &data),
            Some(json!({ "event": "Flipped", "arguments": arguments, "text": text }))
        );
    }

    fn hash(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }
}
