//! The main module, with the memory imported, constant answers within, and its functions put where the stand-ins look for them.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, FunctionSection,
    ImportSection, MemorySection, Module,
};
use wasmparser::Parser;

use super::constant::{Constant, constant};
use super::memory_module::{MEMORY, TABLE, table};
use super::shape::{Main, Shape};
use super::{NotSlim, OrElse};

/// The names by which it imports: its functions by number, and the other module's.
pub(super) const FUNCTIONS: &str = "f";
pub(super) const OTHER: &str = "m";

/// The imports that are left, as they were numbered before, and the others with their answers.
pub(super) struct Imports {
    pub(super) left: Vec<u32>,
    constant: Vec<(u32, Constant)>,
}

impl Imports {
    pub(super) fn of(shape: &Shape<'_>) -> Self {
        let main = &shape.main;
        let (mut left, mut constants) = (Vec::new(), Vec::new());
        for (index, import) in (0..).zip(&main.imports) {
            let answer = constant(import, &main.imports);
            // The name alone says nothing: a component may hand over any function by it.
            match answer.filter(|_| shape.is_as_named(import)) {
                Some(answer) => constants.push((index, answer)),
                None => left.push(index),
            }
        }
        Imports {
            left,
            constant: constants,
        }
    }
}

pub(super) fn write(
    main: &Main<'_>,
    imports: &Imports,
    needed: &[&str],
) -> Result<Module, NotSlim> {
    // Those that are left come first, those that aren't imported any more are the first functions of its own: so all others keep their numbers.
    let order = imports
        .left
        .iter()
        .chain(imports.constant.iter().map(|(index, _)| index));
    let mut renumbered = vec![0; main.imports.len()];
    for (new, old) in (0..).zip(order) {
        renumbered[*old as usize] = new;
    }
    let index = |name: &&str| Some(main.exports.get(name)?.0);
    let needed_at = needed.iter().map(index).collect::<Option<_>>();
    let mut module = Module::new();
    let mut rewriter = Rewriter {
        main,
        imports,
        needed,
        needed_at: needed_at.or_not("a function that isn't exported")?,
        renumbered,
    };
    rewriter.parse_core_module(&mut module, Parser::new(0), main.bytes)?;
    Ok(module)
}

struct Rewriter<'m, 'a> {
    main: &'m Main<'a>,
    imports: &'m Imports,
    needed: &'m [&'a str],
    needed_at: Vec<u32>,
    /// The new numbers of what was imported.
    renumbered: Vec<u32>,
}

type Done = Result<(), Error<Infallible>>;

impl Reencode for Rewriter<'_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        let renumbered = self.renumbered.get(function as usize);
        Ok(renumbered.copied().unwrap_or(function))
    }

    /// The first table is the imported one.
    fn table_index(&mut self, table: u32) -> Result<u32, Error> {
        Ok(table + 1)
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        _: wasmparser::ImportSectionReader<'_>,
    ) -> Done {
        for (new, old) in self.imports.left.iter().enumerate() {
            let import = &self.main.imports[*old as usize];
            imports.import(
                FUNCTIONS,
                &new.to_string(),
                EntityType::Function(import.type_index),
            );
        }
        imports.import(OTHER, TABLE, table(self.needed));
        let memory = self.memory_type(self.main.memory)?;
        imports.import(OTHER, MEMORY, memory);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Done {
        for (index, _) in &self.imports.constant {
            functions.function(self.main.imports[*index as usize].type_index);
        }
        utils::parse_function_section(self, functions, section)
    }

    fn parse_memory_section(
        &mut self,
        _: &mut MemorySection,
        _: wasmparser::MemorySectionReader<'_>,
    ) -> Done {
        Ok(())
    }

    fn parse_element_section(
        &mut self,
        elements: &mut ElementSection,
        section: wasmparser::ElementSectionReader<'_>,
    ) -> Done {
        utils::parse_element_section(self, elements, section)?;
        let mut functions = Vec::new();
        for function in self.needed_at.clone() {
            functions.push(self.function_index(function)?);
        }
        let functions = Elements::Functions(functions.into());
        elements.active(Some(0), &ConstExpr::i32_const(0), functions);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Done {
        for (_, answer) in &self.imports.constant {
            code.function(&answer.function());
        }
        utils::parse_code_section(self, code, section)
    }

    fn data_count(&mut self, _: u32) -> Result<u32, Error> {
        Ok(self.main.passive.unwrap_or(0))
    }

    fn parse_data_section(
        &mut self,
        data: &mut DataSection,
        section: wasmparser::DataSectionReader<'_>,
    ) -> Done {
        for segment in section
            .into_iter()
            .take(self.main.passive.unwrap_or(0) as usize)
        {
            self.parse_data(data, segment?)?;
        }
        Ok(())
    }

    /// Names, for nobody.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Done {
        Ok(())
    }
}
