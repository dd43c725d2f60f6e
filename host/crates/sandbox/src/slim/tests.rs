//! A component as `wit-component` makes them, before and after.

#![expect(clippy::unwrap_used, reason = "tests")]

use wasmparser::{Instance, Parser, Payload};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Engine, Store};

use super::slim;

/// Asks outside, says what it heard and what it kept, drops a thing of its own, and tells how long its environment is.
const COMPONENT: &str = r#"(component
  (import "outside" (instance $outside
    (export "say" (func (param "text" string)))
    (export "ask" (func (result string)))))
  (import "wasi:cli/environment@0.2.6" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))
  (core module $main
    (import "outside" "say" (func $say (param i32 i32)))
    (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
    (import "outside" "ask" (func $ask (param i32)))
    (import "own" "[resource-new]thing" (func $new (param i32) (result i32)))
    (import "own" "[resource-drop]thing" (func $drop (param i32)))
    (type $adds (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table 1 1 funcref)
    (elem (i32.const 0) func $add)
    (global $dropped (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "dtor") (param $thing i32) (global.set $dropped (local.get $thing)))
    (func $add (type $adds) (i32.add (local.get 0) (global.get $dropped)))
    (func (export "run") (result i32)
      (call $ask (i32.const 0))
      (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4)))
      (call $say (i32.const 64) (i32.const 13))
      (call $drop (call $new (i32.const 40)))
      (i32.store (i32.const 20) (i32.const 99))
      (call $environment (i32.const 16))
      (call_indirect (type $adds) (i32.load (i32.const 20)) (i32.const 0)))
    (data (i32.const 64) "what was kept"))
  (core module $shim
    (type $two (func (param i32 i32)))
    (type $one (func (param i32)))
    (table (export "$imports") 4 4 funcref)
    (func (export "0") (type $two) local.get 0 local.get 1 i32.const 0 call_indirect (type $two))
    (func (export "1") (type $one) local.get 0 i32.const 1 call_indirect (type $one))
    (func (export "2") (type $one) local.get 0 i32.const 2 call_indirect (type $one))
    (func (export "3") (type $one) local.get 0 i32.const 3 call_indirect (type $one)))
  (core module $fixup
    (import "" "0" (func (param i32 i32)))
    (import "" "1" (func (param i32)))
    (import "" "2" (func (param i32)))
    (import "" "3" (func (param i32)))
    (import "" "$imports" (table 4 4 funcref))
    (elem (i32.const 0) func 0 1 2 3))
  (core instance $stand-ins (instantiate $shim))
  (alias core export $stand-ins "3" (core func $early-dtor))
  (type $thing (resource (rep i32) (dtor (func $early-dtor))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core instance $own
    (export "[resource-new]thing" (func $new))
    (export "[resource-drop]thing" (func $drop)))
  (alias core export $stand-ins "0" (core func $early-say))
  (alias core export $stand-ins "1" (core func $early-ask))
  (core instance $outside-early (export "say" (func $early-say)) (export "ask" (func $early-ask)))
  (alias core export $stand-ins "2" (core func $early-environment))
  (core instance $environment-early (export "get-environment" (func $early-environment)))
  (core instance $m (instantiate $main
    (with "outside" (instance $outside-early))
    (with "wasi:cli/environment@0.2.0" (instance $environment-early))
    (with "own" (instance $own))))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (alias core export $stand-ins "$imports" (core table $table))
  (alias export $outside "say" (func $say))
  (core func $lowered-say (canon lower (func $say) (memory $memory) string-encoding=utf8))
  (alias export $outside "ask" (func $ask))
  (core func $lowered-ask (canon lower (func $ask) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias export $environment "get-environment" (func $get))
  (core func $lowered-get (canon lower (func $get) (memory $memory) (realloc $realloc) string-encoding=utf8))
  (alias core export $m "dtor" (core func $dtor))
  (core instance $behind
    (export "$imports" (table $table))
    (export "0" (func $lowered-say))
    (export "1" (func $lowered-ask))
    (export "2" (func $lowered-get))
    (export "3" (func $dtor)))
  (core instance (instantiate $fixup (with "" (instance $behind))))
  (alias core export $m "run" (core func $run))
  (func (export "run") (result u32) (canon lift (core func $run))))"#;

/// What a component says, and what it tells in the end.
fn run(component: &[u8]) -> (Vec<String>, u32) {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, component).unwrap();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let mut outside = linker.instance("outside").unwrap();
    let say = |mut store: wasmtime::StoreContextMut<'_, Vec<String>>, (text,): (String,)| {
        store.data_mut().push(text);
        Ok(())
    };
    outside.func_wrap("say", say).unwrap();
    outside
        .func_wrap("ask", |_, (): ()| Ok(("what was asked".to_owned(),)))
        .unwrap();
    let environment = Vec::<(String, String)>::new();
    linker
        .instance("wasi:cli/environment@0.2.6")
        .unwrap()
        .func_wrap("get-environment", move |_, (): ()| {
            Ok((environment.clone(),))
        })
        .unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    let mut told = [Val::U32(0)];
    run.call(&mut store, &[], &mut told).unwrap();
    let [Val::U32(told)] = told else {
        panic!("{told:?}");
    };
    (store.into_data(), told)
}

/// Its modules, and how many functions each imports.
fn modules(component: &[u8]) -> Vec<usize> {
    let mut modules = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => modules.push(0),
            Payload::ImportSection(imports) => {
                let imports = imports.into_imports().map(Result::unwrap);
                let functions =
                    imports.filter(|import| matches!(import.ty, wasmparser::TypeRef::Func(_)));
                *modules.last_mut().unwrap() += functions.count();
            }
            _ => {}
        }
    }
    modules
}

#[test]
fn a_slimmed_component_does_as_it_did_with_fewer_modules_and_imports() {
    let before = wat::parse_str(COMPONENT).unwrap();
    let after = slim(&before).unwrap();
    assert_eq!(modules(&before), [5, 0, 4]);
    assert_eq!(modules(&after), [0, 4], "say, ask, new and drop");
    let said = ["what was asked", "what was kept"].map(str::to_owned);
    assert_eq!(run(&before), (said.to_vec(), 40));
    assert_eq!(run(&after), run(&before));
}

#[test]
fn what_is_of_another_shape_stays_as_it_is() {
    for (part, other) in [
        // A stand-in that does something of its own.
        (
            "local.get 0 i32.const 1 call_indirect",
            "i32.const 7 i32.const 1 call_indirect",
        ),
        (
            "local.get 0 i32.const 1 call_indirect",
            "local.get 0 i32.const 2 call_indirect",
        ),
        // Others behind them.
        ("func 0 1 2 3)", "func 0 2 1 3)"),
        ("func 0 1 2 3)", "func 0 1 2)"),
        // A main module that does something while it is made.
        (
            "(table 1 1 funcref)",
            "(table 1 1 funcref) (func $start) (start $start)",
        ),
        // A function of the module's own in the place of an import.
        (
            "(export \"1\" (func $lowered-ask))",
            "(export \"1\" (func $dtor))",
        ),
        ("string-encoding=utf8", "string-encoding=utf16"),
    ] {
        assert!(COMPONENT.contains(part), "{part}");
        let component = wat::parse_str(COMPONENT.replacen(part, other, 1)).unwrap();
        assert!(slim(&component).is_err(), "{other}");
    }
    assert!(slim(b"\0asm").is_err());
    assert!(slim(&wat::parse_str("(module)").unwrap()).is_err());
    assert!(slim(&wat::parse_str("(component)").unwrap()).is_err());
}

#[test]
fn a_module_and_a_component_within_do_not_confuse_it() {
    let within = "(component (core module) (core instance (instantiate 0)))";
    let component = COMPONENT.replacen(
        "(core module $main",
        &format!("{within} (core module $main"),
        1,
    );
    assert!(slim(&wat::parse_str(component).unwrap()).is_err());
    let within = "(component (type string))";
    let component = COMPONENT.replacen(
        "(core module $main",
        &format!("{within} (core module $main"),
        1,
    );
    let slimmed = slim(&wat::parse_str(component).unwrap()).unwrap();
    assert_eq!(run(&slimmed).1, 40);
}

#[test]
fn the_same_component_is_slimmed_in_the_same_way() {
    let component = wat::parse_str(COMPONENT).unwrap();
    assert_eq!(slim(&component).unwrap(), slim(&component).unwrap());
    let is_one = |instance: &Instance<'_>| matches!(instance, Instance::Instantiate { .. });
    let slimmed = slim(&component).unwrap();
    let instances = Parser::new(0).parse_all(&slimmed).map(Result::unwrap);
    let instances = instances.filter_map(|payload| match payload {
        Payload::InstanceSection(made) => Some(made),
        _ => None,
    });
    let made = instances.flat_map(|made| made.into_iter().map(Result::unwrap));
    assert_eq!(made.filter(is_one).count(), 2);
}
