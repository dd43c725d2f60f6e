//! The module that has the memory, what the memory holds, and stand-ins for functions of the main module, which puts them into its table.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    Instruction, MemorySection, Module, RefType, TableSection, TableType, TypeSection,
};

use super::shape::Main;
use super::{NotSlim, OrElse};

/// The names of what it exports; a stand-in is named as what it stands for.
pub(super) const MEMORY: &str = "memory";
pub(super) const TABLE: &str = "table";

/// The table, whose places are those of `needed`.
pub(super) fn table(needed: &[&str]) -> TableType {
    let size = needed.len() as u64;
    TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: size,
        maximum: Some(size),
        shared: false,
    }
}

pub(super) fn write(main: &Main<'_>, needed: &[&str]) -> Result<Module, NotSlim> {
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    for (place, name) in (0..).zip(needed) {
        let (_, ty) = main
            .exports
            .get(name)
            .or_not("a function that isn't exported")?;
        types
            .ty()
            .func_type(&RoundtripReencoder.func_type(ty.clone())?);
        functions.function(place);
        exports.export(&stand_in(place), ExportKind::Func, place);
        let mut function = Function::new([]);
        for (param, _) in (0..).zip(ty.params()) {
            function.instruction(&Instruction::LocalGet(param));
        }
        function
            .instruction(&Instruction::I32Const(place.cast_signed()))
            .instruction(&Instruction::CallIndirect {
                type_index: place,
                table_index: 0,
            })
            .instruction(&Instruction::End);
        code.function(&function);
    }
    let mut tables = TableSection::new();
    tables.table(table(needed));
    let mut memories = MemorySection::new();
    memories.memory(RoundtripReencoder.memory_type(main.memory)?);
    exports.export(MEMORY, ExportKind::Memory, 0);
    exports.export(TABLE, ExportKind::Table, 0);
    let mut data = DataSection::new();
    for (at, bytes) in &main.data {
        data.active(0, &ConstExpr::i32_const(*at), bytes.iter().copied());
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    Ok(module)
}

/// The name of the stand-in at a place.
pub(super) fn stand_in(place: u32) -> String {
    place.to_string()
}
