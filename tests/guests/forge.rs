//! Policies written as core WebAssembly, for what a compiler wouldn't do.
//!
//! A [`Forged`] begins as a policy that does nothing wrong; who forges replaces the function that it is about. Its memory: texts
//! from 64 on, what the functions return from 1024 on (see the addresses below), what the host hands over at 8192.
//!
//! As malice would, it behaves in the loader's self-test, which it knows by a request that says nothing: the bodies of an
//! exchange's functions, but the constructor's, run in real exchanges alone. `$real` is 1 there.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where each function's result lies, before a test changes it.
pub(crate) const DESCRIPTION: u32 = 1024;
pub(crate) const CONFIGURED: u32 = 1088;
pub(crate) const VERDICT: u32 = 1152;
pub(crate) const OPENED: u32 = 1216;
pub(crate) const EDIT: u32 = 1280;

const NEW_EXCHANGE: &str = "(call $new-exchange (i32.const 1))";

/// What opens a passage, as a good policy does.
fn open() -> String {
    let handle = OPENED + 4;
    format!(
        "(i32.store (i32.const {handle}) (call $new-passage (i32.const 1))) (i32.const {OPENED})"
    )
}

/// The bodies of a policy's functions, in WebAssembly's text format.
pub(crate) struct Forged {
    pub(crate) world: &'static str,
    /// The version of the contract that it was built against.
    pub(crate) contract: &'static str,
    /// More imports; they come first.
    pub(crate) imports: String,
    /// Anything else at the module's end.
    pub(crate) extra: String,
    pub(crate) memory: &'static str,
    pub(crate) realloc: String,
    pub(crate) describe: String,
    pub(crate) configure: String,
    pub(crate) constructor: String,
    pub(crate) on_request: String,
    pub(crate) on_answer: String,
    pub(crate) on_complete: String,
    pub(crate) on_delta: String,
    pub(crate) on_end: String,
    pub(crate) destructor: String,
}

impl Default for Forged {
    fn default() -> Self {
        let address = |address: u32| format!("i32.const {address}");
        Forged {
            world: "policy-component",
            contract: "1.0.0",
            imports: String::new(),
            extra: String::new(),
            memory: r#"(memory (export "memory") 4)"#,
            realloc: "i32.const 8192".into(),
            describe: address(DESCRIPTION),
            configure: address(CONFIGURED),
            constructor: NEW_EXCHANGE.into(),
            on_request: address(VERDICT),
            on_answer: open(),
            on_complete: String::new(),
            on_delta: address(EDIT),
            on_end: address(EDIT),
            destructor: String::new(),
        }
    }
}

impl Forged {
    /// The module, with the contract's names and types.
    pub(crate) fn module(&self) -> Vec<u8> {
        let Forged {
            imports,
            extra,
            memory,
            realloc,
            contract,
            describe,
            configure,
            constructor,
            ..
        } = self;
        let Forged {
            on_request,
            on_answer,
            on_complete,
            on_delta,
            on_end,
            destructor,
            ..
        } = self;
        let open = open();
        let policy = format!("witgate:policy/policy@{contract}");
        let sly = |body: &str, good: &str| {
            if body == good {
                good.to_owned()
            } else {
                format!("(if (result i32) (global.get $real) (then {body}) (else {good}))")
            }
        };
        // Itself, the choice, and the channel, which has room for its longest case.
        let answered = match *contract {
            "0.1.0" => ["i32"; 8].join(" "),
            _ => ["i32"; 11].join(" "),
        };
        let constructor = sly(constructor, NEW_EXCHANGE);
        let on_request = sly(on_request, &format!("i32.const {VERDICT}"));
        let on_answer = sly(on_answer, &open);
        let on_delta = sly(on_delta, &format!("i32.const {EDIT}"));
        let on_end = sly(on_end, &format!("i32.const {EDIT}"));
        let text = format!(
            r#"(module
  (import "[export]{policy}" "[resource-new]exchange" (func $new-exchange (param i32) (result i32)))
  (import "[export]{policy}" "[resource-new]passage" (func $new-passage (param i32) (result i32)))
  (import "witgate:policy/request@{contract}" "size" (func $size (result i64)))
  {imports}
  {memory}
  (global $state (mut i32) (i32.const 0))
  (global $real (mut i32) (i32.const 0))
  (data (i32.const 64) "forged\00\001.0.0")
  (data (i32.const {DESCRIPTION}) "\40\00\00\00\06\00\00\00\48\00\00\00\05\00\00\00\00\00\00\00")
  (data (i32.const {CONFIGURED}) "\00\00\00\00\07")
  (data (i32.const {OPENED}) "\01")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
  (func (export "{policy}#describe") (result i32) {describe})
  (func (export "{policy}#configure") (param i32 i32) (result i32) {configure})
  (func (export "{policy}#[constructor]exchange") (result i32)
    (global.set $real (i64.ne (call $size) (i64.const 0))) {constructor})
  (func (export "{policy}#[method]exchange.on-request") (param i32) (result i32) {on_request})
  (func (export "{policy}#[method]exchange.on-answer")
    (param {answered}) (result i32) {on_answer})
  (func (export "{policy}#[method]exchange.on-complete") (param i32) (if (global.get $real) (then {on_complete})))
  (func (export "{policy}#[method]passage.on-delta") (param i32 i32 i32) (result i32) {on_delta})
  (func (export "{policy}#[method]passage.on-end") (param i32 i32 i32) (result i32) {on_end})
  (func (export "{policy}#[dtor]passage") (param i32) (if (global.get $real) (then {destructor})))
  {extra}
)"#
        );
        wat::parse_str(text).unwrap()
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let mut module = self.module();
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let older = if self.contract == "0.1.0" {
            self.contract
        } else {
            ""
        };
        let (package, _) = resolve.push_path(wit.join(older)).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default().module(&module).unwrap();
        encoder.encode().unwrap()
    }
}

/// `i32.store`s that put those words one after the other, then that address as the result.
pub(crate) fn returning(address: u32, words: &[u32]) -> String {
    let mut body = String::new();
    for (place, word) in words.iter().enumerate() {
        let at = address as usize + place * 4;
        body.push_str(&format!(
            "(i32.store (i32.const {at}) (i32.const {})) ",
            *word as i32
        ));
    }
    body + &format!("(i32.const {address})")
}
