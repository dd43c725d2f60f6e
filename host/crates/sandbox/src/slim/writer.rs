//! Writes the component anew around the two modules: all as it was and in the same order, but for core functions and instances.

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentInstanceSection,
    ComponentSectionId, ComponentTypeSection, ExportKind, InstanceSection, ModuleArg,
    ModuleSection, RawSection,
};
use wasmparser::{CanonicalFunction, ComponentAlias, ComponentType};

use super::main_module::{self, FUNCTIONS, Imports, OTHER};
use super::memory_module::{self, MEMORY};
use super::shape::{Origin, Section, Shape};
use super::{NotSlim, OrElse};

/// The core instances that it has now.
const MEMORY_INSTANCE: u32 = 0;
const FUNCTIONS_INSTANCE: u32 = 1;
const MAIN_INSTANCE: u32 = 2;

pub(super) fn write(shape: &Shape<'_>) -> Result<Vec<u8>, NotSlim> {
    let imports = Imports::of(shape);
    let needed = shape.needed_early()?;
    let mut written = Component::new();
    let memory = memory_module::write(&shape.main, &needed)?;
    written.section(&ModuleSection(&memory));
    let main = main_module::write(&shape.main, &imports, &needed)?;
    written.section(&ModuleSection(&main));
    let mut instances = InstanceSection::new();
    instances.instantiate(0, [] as [(&str, ModuleArg); 0]);
    written.section(&instances);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport {
        instance: MEMORY_INSTANCE,
        kind: ExportKind::Memory,
        name: MEMORY,
    });
    written.section(&aliases);
    let mut writer = Writer {
        shape,
        imports,
        needed,
        written,
        core_funcs: 0,
        taken: HashMap::new(),
        funcs: Vec::new(),
        next_func: 0,
        core_instances: 0,
    };
    for section in &shape.sections {
        writer.section(section)?;
    }
    Ok(writer.written.finish())
}

struct Writer<'s, 'a> {
    shape: &'s Shape<'a>,
    imports: Imports,
    needed: Vec<&'a str>,
    written: Component,
    /// Core functions that there are by now.
    core_funcs: u32,
    /// Those among them that are exports: of which instance, under which name.
    taken: HashMap<(u32, String), u32>,
    /// The new numbers of the component functions that there are by now.
    funcs: Vec<u32>,
    next_func: u32,
    /// Core instances that were passed by.
    core_instances: u32,
}

impl<'a> Writer<'_, 'a> {
    fn section(&mut self, section: &Section<'a>) -> Result<(), NotSlim> {
        match section {
            Section::Component(range) => {
                self.written.section(&RawSection {
                    id: ComponentSectionId::Component as u8,
                    data: &self.shape.bytes[range.clone()],
                });
            }
            Section::Types(types) => {
                for ty in types.clone() {
                    let ty = ty?;
                    if let ComponentType::Resource {
                        dtor: Some(dtor), ..
                    } = &ty
                    {
                        self.stand_in(self.shape.of_main(*dtor)?)?;
                    }
                    let mut section = ComponentTypeSection::new();
                    component_utils::parse_component_type(&mut Early(self), section.ty(), ty)?;
                    self.written.section(&section);
                }
            }
            Section::Imports(imports) => {
                let mut section = ComponentImportSection::new();
                component_utils::parse_component_import_section(
                    &mut Late(self),
                    &mut section,
                    imports.clone(),
                )?;
                self.written.section(&section);
            }
            Section::Aliases(aliases) => {
                for alias in aliases.clone() {
                    self.alias(alias?)?;
                }
            }
            Section::Functions(made) => {
                for made in made.clone() {
                    self.made(made?)?;
                }
            }
            Section::CoreInstances(instances) => {
                for _ in instances.clone() {
                    if self.core_instances == self.shape.main_instance {
                        self.main()?;
                    }
                    self.core_instances += 1;
                }
            }
            Section::Instances(instances) => {
                let mut section = ComponentInstanceSection::new();
                component_utils::parse_component_instance_section(
                    &mut Late(self),
                    &mut section,
                    instances.clone(),
                )?;
                self.written.section(&section);
            }
            Section::Exports(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    let is_func = export.kind == wasmparser::ComponentExternalKind::Func;
                    let mut section = ComponentExportSection::new();
                    component_utils::parse_component_export(&mut Late(self), &mut section, export)?;
                    self.written.section(&section);
                    if is_func {
                        self.new_func();
                    }
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), NotSlim> {
        // Core functions are taken where they are needed.
        if matches!(alias, ComponentAlias::CoreInstanceExport { .. }) {
            return Ok(());
        }
        let is_func = matches!(
            alias,
            ComponentAlias::InstanceExport {
                kind: wasmparser::ComponentExternalKind::Func,
                ..
            }
        );
        let mut section = ComponentAliasSection::new();
        section.alias(component_utils::component_alias(&mut Late(self), alias)?);
        self.written.section(&section);
        if is_func {
            self.new_func();
        }
        Ok(())
    }

    /// What is lifted stays; what the main module imports is made where that is.
    fn made(&mut self, made: CanonicalFunction) -> Result<(), NotSlim> {
        let CanonicalFunction::Lift {
            core_func_index,
            options,
            ..
        } = &made
        else {
            return Ok(());
        };
        let of_options = options.iter().filter_map(|option| match option {
            wasmparser::CanonicalOption::Realloc(function)
            | wasmparser::CanonicalOption::PostReturn(function) => Some(function),
            _ => None,
        });
        for function in [core_func_index].into_iter().chain(of_options) {
            let name = self.shape.of_main(*function)?;
            self.take(MAIN_INSTANCE, name);
        }
        let mut section = CanonicalFunctionSection::new();
        component_utils::parse_component_canonical(&mut Late(self), &mut section, made)?;
        self.written.section(&section);
        self.new_func();
        Ok(())
    }

    /// The main module's instance, and before it all that it imports.
    fn main(&mut self) -> Result<(), NotSlim> {
        let mut functions = Vec::new();
        for (new, old) in self.imports.left.clone().into_iter().enumerate() {
            let import = &self.shape.main.imports[old as usize];
            let Origin::Made(made) = self.shape.origin(import.given)? else {
                return Err(NotSlim::Shape("it imports what is its own"));
            };
            let mut section = CanonicalFunctionSection::new();
            match made {
                CanonicalFunction::Lower {
                    func_index,
                    options,
                } => {
                    let options = options.iter().map(|option| self.option(option));
                    let options = options.collect::<Result<Vec<_>, _>>()?;
                    let func = self.func(*func_index)?;
                    section.lower(func, options);
                }
                CanonicalFunction::ResourceNew { resource } => {
                    section.resource_new(*resource);
                }
                CanonicalFunction::ResourceDrop { resource } => {
                    section.resource_drop(*resource);
                }
                CanonicalFunction::ResourceRep { resource } => {
                    section.resource_rep(*resource);
                }
                _ => return Err(NotSlim::Shape("it imports what isn't known")),
            }
            self.written.section(&section);
            functions.push((new.to_string(), ExportKind::Func, self.core_funcs));
            self.core_funcs += 1;
        }
        let mut instances = InstanceSection::new();
        instances.export_items(functions);
        instances.instantiate(
            1,
            [
                (FUNCTIONS, ModuleArg::Instance(FUNCTIONS_INSTANCE)),
                (OTHER, ModuleArg::Instance(MEMORY_INSTANCE)),
            ],
        );
        self.written.section(&instances);
        Ok(())
    }

    fn option(&mut self, option: &wasmparser::CanonicalOption) -> Result<CanonicalOption, NotSlim> {
        Ok(match option {
            wasmparser::CanonicalOption::UTF8 => CanonicalOption::UTF8,
            wasmparser::CanonicalOption::Memory(_) => CanonicalOption::Memory(0),
            wasmparser::CanonicalOption::Realloc(realloc) => {
                CanonicalOption::Realloc(self.stand_in(self.shape.of_main(*realloc)?)?)
            }
            _ => {
                return Err(NotSlim::Shape(
                    "a function is imported in a way that isn't known",
                ));
            }
        })
    }

    /// The component function that had this number, taken early if it isn't there yet.
    fn func(&mut self, old: u32) -> Result<u32, NotSlim> {
        if let Some(new) = self.funcs.get(old as usize) {
            return Ok(*new);
        }
        let export = self.shape.funcs.get(old as usize).copied().flatten();
        let (instance, name) = export.or_not("an import that is its own")?;
        let mut section = ComponentAliasSection::new();
        section.alias(Alias::InstanceExport {
            instance,
            kind: ComponentExportKind::Func,
            name,
        });
        self.written.section(&section);
        self.next_func += 1;
        Ok(self.next_func - 1)
    }

    /// The next of the component functions that were there before has come.
    fn new_func(&mut self) {
        self.funcs.push(self.next_func);
        self.next_func += 1;
    }

    /// The stand-in for a function of the main module.
    fn stand_in(&mut self, name: &str) -> Result<u32, NotSlim> {
        let place = (0..).zip(&self.needed).find(|(_, needed)| **needed == name);
        let (place, _) = place.or_not("a stand-in that isn't there")?;
        Ok(self.take(MEMORY_INSTANCE, &memory_module::stand_in(place)))
    }

    /// The number of an instance's function.
    fn take(&mut self, instance: u32, name: &str) -> u32 {
        let key = (instance, name.to_owned());
        if let Some(taken) = self.taken.get(&key) {
            return *taken;
        }
        let mut section = ComponentAliasSection::new();
        section.alias(Alias::CoreInstanceExport {
            instance,
            kind: ExportKind::Func,
            name,
        });
        self.written.section(&section);
        self.taken.insert(key, self.core_funcs);
        self.core_funcs += 1;
        self.core_funcs - 1
    }
}

/// Renumbers what is written before the main module is there: its functions are the stand-ins.
struct Early<'w, 's, 'a>(&'w mut Writer<'s, 'a>);

/// Renumbers what is written after: its functions are itself's.
struct Late<'w, 's, 'a>(&'w mut Writer<'s, 'a>);

fn unknown(_: NotSlim) -> Error<Infallible> {
    Error::UnexpectedNonComponentSection
}

impl Reencode for Early<'_, '_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        let name = self.0.shape.of_main(function).map_err(unknown)?;
        self.0.stand_in(name).map_err(unknown)
    }
}

impl ReencodeComponent for Early<'_, '_, '_> {}

impl Reencode for Late<'_, '_, '_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        let name = self.0.shape.of_main(function).map_err(unknown)?;
        Ok(self.0.take(MAIN_INSTANCE, name))
    }

    fn memory_index(&mut self, _: u32) -> Result<u32, Error> {
        Ok(0)
    }
}

impl ReencodeComponent for Late<'_, '_, '_> {
    fn component_func_index(&mut self, function: u32) -> u32 {
        // What isn't there is an error when the whole is checked.
        let new = self.0.funcs.get(function as usize);
        new.copied().unwrap_or(u32::MAX)
    }
}
