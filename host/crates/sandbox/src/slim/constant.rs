//! The parts of WASI whose answer is the same each time in a sandbox, and that answer.
//!
//! Where the answer is a handle, only if nothing is imported that would tell one from another. What is left as it is: taking standard output
//! and error, and writing to them, and leaving by `exit`.

use wasm_encoder::{Function, Instruction, MemArg};
use wasmparser::ValType;

use super::shape::Import;

/// What a function of WASI always answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// There is no such handle that it could be called with.
    Trap,
    Nothing,
    /// A handle that means nothing.
    Handle,
    /// An empty list, written where the first parameter says.
    NoList,
    /// No value, likewise.
    NoValue,
    /// Success, where the second one says.
    Success,
    /// There is room to write so much, likewise.
    Room,
}

/// As `Printed` says: see `wasi.rs`.
const ROOM: i64 = 4096;

/// The answer of an import, if it is the same each time.
pub(super) fn constant(import: &Import<'_>, all: &[Import<'_>]) -> Option<Constant> {
    let (interface, version) = import.module.split_once('@')?;
    let imports = |what: &dyn Fn(&Import<'_>) -> bool| all.iter().any(what);
    // Streams that are read, and time that is waited for, come from elsewhere too.
    let reads = || imports(&|other: &Import<'_>| other.name.starts_with("[method]input-stream."));
    let waits = || {
        imports(&|other: &Import<'_>| {
            let waits = other.module.starts_with("wasi:io/poll@") && {
                !matches!(
                    other.name,
                    "[method]pollable.block" | "[resource-drop]pollable"
                )
            };
            waits
                || other.module.starts_with("wasi:clocks/") && other.name.starts_with("subscribe")
                || other.module.starts_with("wasi:sockets/")
        })
    };
    let answer = match (interface, import.name) {
        ("wasi:cli/environment", "get-environment" | "get-arguments") => Constant::NoList,
        ("wasi:filesystem/preopens", "get-directories") => Constant::NoList,
        ("wasi:cli/terminal-stdin", "get-terminal-stdin")
        | ("wasi:cli/terminal-stdout", "get-terminal-stdout")
        | ("wasi:cli/terminal-stderr", "get-terminal-stderr") => Constant::NoValue,
        ("wasi:cli/terminal-input", "[resource-drop]terminal-input")
        | ("wasi:cli/terminal-output", "[resource-drop]terminal-output")
        | ("wasi:io/error", "[resource-drop]error") => Constant::Trap,
        ("wasi:cli/stdin", "get-stdin") if !reads() => Constant::Handle,
        ("wasi:io/streams", "[resource-drop]input-stream") if !reads() => Constant::Nothing,
        ("wasi:io/streams", "[method]output-stream.check-write") => Constant::Room,
        (
            "wasi:io/streams",
            "[method]output-stream.flush" | "[method]output-stream.blocking-flush",
        ) => Constant::Success,
        ("wasi:io/streams", "[method]output-stream.subscribe") if !waits() => Constant::Handle,
        ("wasi:io/poll", "[method]pollable.block" | "[resource-drop]pollable") if !waits() => {
            Constant::Nothing
        }
        _ => return None,
    };
    let (params, results): (&[_], &[_]) = match answer {
        Constant::Trap | Constant::Nothing | Constant::NoList | Constant::NoValue => {
            (&[ValType::I32], &[])
        }
        Constant::Handle if import.name == "get-stdin" => (&[], &[ValType::I32]),
        Constant::Handle => (&[ValType::I32], &[ValType::I32]),
        Constant::Success | Constant::Room => (&[ValType::I32; 2], &[]),
    };
    let is_so = version.starts_with("0.2.")
        && import.ty.params() == params
        && import.ty.results() == results;
    is_so.then_some(answer)
}

impl Constant {
    /// A function that answers so.
    pub(super) fn function(self) -> Function {
        let mut function = Function::new([]);
        let at = |offset, align| MemArg {
            offset,
            align,
            memory_index: 0,
        };
        match self {
            Constant::Trap => {
                function.instruction(&Instruction::Unreachable);
            }
            Constant::Nothing => {}
            Constant::Handle => {
                function.instruction(&Instruction::I32Const(0));
            }
            Constant::NoList => {
                function
                    .instruction(&Instruction::LocalGet(0))
                    // Nowhere, but as a pointer has to be.
                    .instruction(&Instruction::I32Const(4))
                    .instruction(&Instruction::I32Store(at(0, 2)))
                    .instruction(&Instruction::LocalGet(0))
                    .instruction(&Instruction::I32Const(0))
                    .instruction(&Instruction::I32Store(at(4, 2)));
            }
            Constant::NoValue => {
                function
                    .instruction(&Instruction::LocalGet(0))
                    .instruction(&Instruction::I32Const(0))
                    .instruction(&Instruction::I32Store8(at(0, 0)));
            }
            Constant::Success => {
                function
                    .instruction(&Instruction::LocalGet(1))
                    .instruction(&Instruction::I32Const(0))
                    .instruction(&Instruction::I32Store8(at(0, 0)));
            }
            Constant::Room => {
                function
                    .instruction(&Instruction::LocalGet(1))
                    .instruction(&Instruction::I32Const(0))
                    .instruction(&Instruction::I32Store8(at(0, 0)))
                    .instruction(&Instruction::LocalGet(1))
                    .instruction(&Instruction::I64Const(ROOM))
                    .instruction(&Instruction::I64Store(at(8, 3)));
            }
        }
        function.instruction(&Instruction::End);
        function
    }
}
