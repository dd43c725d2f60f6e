//! Finds in a component what `wit-component` made of it: which module is which, and what stands behind each stand-in.

use std::collections::HashMap;
use std::ops::Range;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentType, ElementItems, ElementKind,
    Encoding, ExternalKind, FuncType, Instance, Operator, Parser, Payload, TypeRef,
};

use super::{NotSlim, OrElse, only_if};

/// The table by which the stand-ins find what they stand for, as `wit-component` names it.
const SHIM_TABLE: &str = "$imports";

/// A component of the known shape.
pub(super) struct Shape<'a> {
    pub(super) bytes: &'a [u8],
    /// What it consists of at the outermost level, in order.
    pub(super) sections: Vec<Section<'a>>,
    /// The core instance that the policy is, among all of its.
    pub(super) main_instance: u32,
    pub(super) main: Main<'a>,
    core_funcs: Vec<CoreFunc<'a>>,
    /// Component functions that are exports of instances: which one, by which name.
    pub(super) funcs: Vec<Option<(u32, &'a str)>>,
    shim_instance: u32,
    /// The core function behind each stand-in.
    behind: HashMap<&'a str, u32>,
}

/// A section of the outermost level.
pub(super) enum Section<'a> {
    Types(wasmparser::ComponentTypeSectionReader<'a>),
    Imports(wasmparser::ComponentImportSectionReader<'a>),
    Aliases(wasmparser::ComponentAliasSectionReader<'a>),
    Functions(wasmparser::ComponentCanonicalSectionReader<'a>),
    CoreInstances(wasmparser::InstanceSectionReader<'a>),
    Instances(wasmparser::ComponentInstanceSectionReader<'a>),
    Exports(wasmparser::ComponentExportSectionReader<'a>),
    /// A component within it.
    Component(Range<usize>),
}

enum CoreFunc<'a> {
    Export { instance: u32, name: &'a str },
    Made(CanonicalFunction),
}

/// What a core function is, once one has looked behind the stand-ins.
pub(super) enum Origin<'s, 'a> {
    /// A function of the main module, by the name under which that exports it.
    Main(&'a str),
    /// Made by the component.
    Made(&'s CanonicalFunction),
}

/// The main module.
pub(super) struct Main<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) imports: Vec<Import<'a>>,
    /// Functions that it exports: their index, and their type.
    pub(super) exports: HashMap<&'a str, (u32, FuncType)>,
    /// The memory, and what it holds.
    pub(super) memory: wasmparser::MemoryType,
    pub(super) data: Vec<(i32, &'a [u8])>,
    /// Segments of data that its code may refer to. `None`: it refers to none.
    pub(super) passive: Option<u32>,
}

/// A function that the main module imports.
pub(super) struct Import<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) type_index: u32,
    pub(super) ty: FuncType,
    /// The core function that it gets.
    pub(super) given: u32,
}

impl<'a> Shape<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, NotSlim> {
        let mut sections = Vec::new();
        let mut modules = Vec::new();
        let mut instances = Vec::new();
        let (mut core_funcs, mut memories, mut funcs) = (Vec::new(), Vec::new(), Vec::new());
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match payload {
                Payload::End(_) => {
                    depth -= 1;
                    continue;
                }
                Payload::Version { encoding, .. } if depth == 0 => {
                    only_if(encoding == Encoding::Component, "it is a core module")?;
                    depth = 1;
                    continue;
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                _ => {}
            }
            // What is within a module or a component is looked at with it.
            match payload {
                Payload::ModuleSection {
                    unchecked_range, ..
                } => {
                    only_if(depth == 2, "a component within it has modules")?;
                    modules.push(&bytes[unchecked_range]);
                }
                Payload::ComponentSection {
                    unchecked_range, ..
                } if depth == 2 => sections.push(Section::Component(unchecked_range)),
                _ if depth > 1 => {}
                Payload::ComponentTypeSection(types) => sections.push(Section::Types(types)),
                Payload::ComponentImportSection(imports) => {
                    for import in imports.clone() {
                        let is_func =
                            matches!(import?.ty.kind(), wasmparser::ComponentExternalKind::Func);
                        only_if(!is_func, "it imports a function outside of an interface")?;
                    }
                    sections.push(Section::Imports(imports));
                }
                Payload::ComponentAliasSection(aliases) => {
                    for alias in aliases.clone() {
                        match alias? {
                            ComponentAlias::CoreInstanceExport {
                                kind: ExternalKind::Func,
                                instance_index: instance,
                                name,
                            } => core_funcs.push(CoreFunc::Export { instance, name }),
                            ComponentAlias::CoreInstanceExport {
                                kind: ExternalKind::Memory,
                                instance_index,
                                ..
                            } => memories.push(instance_index),
                            ComponentAlias::InstanceExport {
                                kind: wasmparser::ComponentExternalKind::Func,
                                instance_index,
                                name,
                            } => funcs.push(Some((instance_index, name))),
                            ComponentAlias::InstanceExport {
                                kind: wasmparser::ComponentExternalKind::Module,
                                ..
                            } => return Err(NotSlim::Shape("a module is handed to it")),
                            _ => {}
                        }
                    }
                    sections.push(Section::Aliases(aliases));
                }
                Payload::ComponentCanonicalSection(made) => {
                    for function in made.clone() {
                        match function? {
                            CanonicalFunction::Lift { .. } => funcs.push(None),
                            made => core_funcs.push(CoreFunc::Made(made)),
                        }
                    }
                    sections.push(Section::Functions(made));
                }
                Payload::InstanceSection(made) => {
                    instances.extend(made.clone().into_iter().collect::<Result<Vec<_>, _>>()?);
                    sections.push(Section::CoreInstances(made));
                }
                Payload::ComponentInstanceSection(made) => sections.push(Section::Instances(made)),
                Payload::ComponentExportSection(exports) => {
                    for export in exports.clone() {
                        // An export has a number of its own.
                        if export?.kind == wasmparser::ComponentExternalKind::Func {
                            funcs.push(None);
                        }
                    }
                    sections.push(Section::Exports(exports));
                }
                // What is said of it for people.
                Payload::CustomSection(_) => {}
                _ => return Err(NotSlim::Shape("it has a section that isn't known")),
            }
        }

        // The policy is what is called.
        let lifted = sections.iter().find_map(|section| match section {
            Section::Functions(made) => {
                made.clone()
                    .into_iter()
                    .filter_map(Result::ok)
                    .find_map(|made| match made {
                        CanonicalFunction::Lift {
                            core_func_index, ..
                        } => Some(core_func_index),
                        _ => None,
                    })
            }
            _ => None,
        });
        let lifted = lifted.or_not("nothing in it is called")?;
        let main_instance = match core_funcs.get(lifted as usize) {
            Some(CoreFunc::Export { instance, .. }) => *instance,
            _ => return Err(NotSlim::Shape("what is called isn't a module's")),
        };
        only_if(
            memories.iter().all(|instance| *instance == main_instance),
            "another module has a memory",
        )?;
        let (mut made_of_modules, mut shim, mut fixup) = (0, None, None);
        for (index, instance) in (0..).zip(&instances) {
            let Instance::Instantiate { module_index, args } = instance else {
                continue;
            };
            made_of_modules += 1;
            let module = modules
                .get(*module_index as usize)
                .or_not("no such module")?;
            match &args[..] {
                _ if index == main_instance => {}
                [] => shim = Some((index, stand_ins(module)?)),
                [one] if one.name.is_empty() => fixup = Some((one.index, filled(module)?)),
                _ => return Err(NotSlim::Shape("it has more modules")),
            }
        }
        only_if(
            made_of_modules == 3 && modules.len() == 3,
            "it isn't three modules",
        )?;
        let (shim_instance, stand_ins) = shim.or_not("it has no stand-ins")?;
        let (given, filled) = fixup.or_not("nothing stands behind its stand-ins")?;
        only_if(stand_ins == filled, "it has other stand-ins than it fills")?;
        let behind = exports(&instances, given)?;

        let Some(Instance::Instantiate { module_index, args }) =
            instances.get(main_instance as usize)
        else {
            return Err(NotSlim::Shape("what is called isn't a module's"));
        };
        let given = |module: &str, name: &str| {
            let arg = args.iter().find(|arg| arg.name == module);
            let arg = arg.or_not("an import is missing")?;
            exports(&instances, arg.index)?
                .get(name)
                .copied()
                .or_not("an import isn't a function of the component's")
        };
        let module = modules
            .get(*module_index as usize)
            .or_not("no such module")?;
        let main = Main::of(module, given)?;
        Ok(Shape {
            bytes,
            sections,
            main_instance,
            main,
            core_funcs,
            funcs,
            shim_instance,
            behind,
        })
    }

    /// What a core function really is.
    pub(super) fn origin(&self, core_func: u32) -> Result<Origin<'_, 'a>, NotSlim> {
        match self.core_funcs.get(core_func as usize) {
            Some(CoreFunc::Made(made)) => Ok(Origin::Made(made)),
            Some(CoreFunc::Export { instance, name }) if *instance == self.main_instance => {
                Ok(Origin::Main(name))
            }
            Some(CoreFunc::Export { instance, name }) if *instance == self.shim_instance => {
                let behind = self.behind.get(name).or_not("nothing behind a stand-in")?;
                match self.core_funcs.get(*behind as usize) {
                    Some(CoreFunc::Made(made)) => Ok(Origin::Made(made)),
                    Some(CoreFunc::Export { instance, name })
                        if *instance == self.main_instance =>
                    {
                        Ok(Origin::Main(name))
                    }
                    _ => Err(NotSlim::Shape("a stand-in for a stand-in")),
                }
            }
            _ => Err(NotSlim::Shape("a function of a module that isn't known")),
        }
    }

    /// Whether what the main module imports by that name is what goes by that name outside of the component.
    pub(super) fn is_as_named(&self, import: &Import<'_>) -> bool {
        match self.origin(import.given) {
            Ok(Origin::Made(CanonicalFunction::Lower { func_index, .. })) => {
                let func = self.funcs.get(*func_index as usize).copied().flatten();
                func.is_some_and(|(_, name)| name == import.name)
            }
            Ok(Origin::Made(CanonicalFunction::ResourceDrop { .. })) => {
                import.name.starts_with("[resource-drop]")
            }
            _ => false,
        }
    }

    /// As [`Shape::origin`], of what must be the main module's.
    pub(super) fn of_main(&self, core_func: u32) -> Result<&'a str, NotSlim> {
        match self.origin(core_func)? {
            Origin::Main(name) => Ok(name),
            Origin::Made(_) => Err(NotSlim::Shape("a function that should be the module's")),
        }
    }

    /// The functions of the main module that are needed before it is there: destructors, and what makes room for the answers of imports.
    pub(super) fn needed_early(&self) -> Result<Vec<&'a str>, NotSlim> {
        let mut needed = Vec::new();
        let mut need = |core_func| {
            let name = self.of_main(core_func)?;
            if !needed.contains(&name) {
                needed.push(name);
            }
            Ok::<_, NotSlim>(())
        };
        for import in &self.main.imports {
            if let Origin::Made(CanonicalFunction::Lower { options, .. }) =
                self.origin(import.given)?
            {
                for option in options {
                    if let CanonicalOption::Realloc(realloc) = option {
                        need(*realloc)?;
                    }
                }
            }
        }
        for section in &self.sections {
            let Section::Types(types) = section else {
                continue;
            };
            for ty in types.clone() {
                if let ComponentType::Resource {
                    dtor: Some(dtor), ..
                } = ty?
                {
                    need(dtor)?;
                }
            }
        }
        Ok(needed)
    }
}

/// The functions of a core instance that is made of exports.
fn exports<'a>(instances: &[Instance<'a>], index: u32) -> Result<HashMap<&'a str, u32>, NotSlim> {
    let Some(Instance::FromExports(exports)) = instances.get(index as usize) else {
        return Err(NotSlim::Shape("an import is another module's"));
    };
    let functions = exports
        .iter()
        .filter(|export| export.kind == ExternalKind::Func);
    Ok(functions
        .map(|export| (export.name, export.index))
        .collect())
}

/// How many stand-ins the shim has: each does nothing but call what stands at its place in the table.
fn stand_ins(module: &[u8]) -> Result<u32, NotSlim> {
    let (mut named, mut bodies) = (0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    let is_its_place = match export.kind {
                        ExternalKind::Func => export.name == export.index.to_string(),
                        ExternalKind::Table => export.name == SHIM_TABLE,
                        _ => false,
                    };
                    only_if(is_its_place, "the shim exports something else")?;
                    named += u32::from(export.kind == ExternalKind::Func);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let mut operators = body.get_operators_reader()?;
                let mut next = 0;
                loop {
                    match operators.read()? {
                        Operator::LocalGet { local_index } if local_index == next => next += 1,
                        Operator::I32Const { value } if u32::try_from(value) == Ok(bodies) => break,
                        _ => return Err(NotSlim::Shape("a stand-in does more")),
                    }
                }
                let calls = matches!(operators.read()?, Operator::CallIndirect { .. });
                let ends = matches!(operators.read()?, Operator::End) && operators.eof();
                only_if(calls && ends, "a stand-in does more")?;
                bodies += 1;
            }
            Payload::Version { .. }
            | Payload::TypeSection(_)
            | Payload::FunctionSection(_)
            | Payload::TableSection(_)
            | Payload::CodeSectionStart { .. }
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            // A snapshot has a section for data in every module.
            Payload::DataSection(data) if data.count() == 0 => {}
            _ => return Err(NotSlim::Shape("the shim has more than stand-ins")),
        }
    }
    only_if(named == bodies, "the shim has a function without a name")?;
    Ok(bodies)
}

/// How many places the fixup fills: each with what it imports under that number.
fn filled(module: &[u8]) -> Result<u32, NotSlim> {
    let (mut imported, mut filled) = (0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(_) if import.name == imported.to_string() => imported += 1,
                        TypeRef::Table(_) if import.name == SHIM_TABLE => {}
                        _ => return Err(NotSlim::Shape("the fixup imports something else")),
                    }
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    let element = element?;
                    let ElementKind::Active {
                        table_index: None | Some(0),
                        offset_expr,
                    } = element.kind
                    else {
                        return Err(NotSlim::Shape("the fixup does more"));
                    };
                    let at = constant(&offset_expr)?;
                    only_if(u32::try_from(at) == Ok(filled), "the fixup does more")?;
                    let ElementItems::Functions(functions) = element.items else {
                        return Err(NotSlim::Shape("the fixup does more"));
                    };
                    for function in functions {
                        only_if(function? == filled, "the fixup fills in another order")?;
                        filled += 1;
                    }
                }
            }
            Payload::Version { .. }
            | Payload::TypeSection(_)
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            Payload::DataSection(data) if data.count() == 0 => {}
            _ => return Err(NotSlim::Shape("the fixup does more")),
        }
    }
    only_if(imported == filled, "the fixup leaves a place empty")?;
    Ok(filled)
}

/// The number that an expression is.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<i32, NotSlim> {
    let mut operators = expression.get_operators_reader();
    match (operators.read()?, operators.read()?) {
        (Operator::I32Const { value }, Operator::End) => Ok(value),
        _ => Err(NotSlim::Shape("a place that is computed")),
    }
}

impl<'a> Main<'a> {
    fn of(
        bytes: &'a [u8],
        given: impl Fn(&str, &str) -> Result<u32, NotSlim>,
    ) -> Result<Self, NotSlim> {
        let mut types = Vec::new();
        let mut functions = Vec::new();
        let (mut imports, mut exports) = (Vec::new(), HashMap::new());
        let (mut memories, mut data) = (Vec::new(), Vec::new());
        let (mut count, mut passive) = (None, 0);
        let mut has_elements = false;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let TypeRef::Func(type_index) = import.ty else {
                            return Err(NotSlim::Shape("it imports more than functions"));
                        };
                        let ty = types.get(type_index as usize).cloned();
                        imports.push(Import {
                            module: import.module,
                            name: import.name,
                            type_index,
                            ty: ty.or_not("no such type")?,
                            given: given(import.module, import.name)?,
                        });
                        functions.push(type_index);
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(ty?);
                    }
                }
                Payload::MemorySection(section) => {
                    memories.extend(section.into_iter().collect::<Result<Vec<_>, _>>()?);
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind != ExternalKind::Func {
                            continue;
                        }
                        let ty = functions.get(export.index as usize);
                        let ty = ty.and_then(|ty| types.get(*ty as usize)).cloned();
                        exports.insert(export.name, (export.index, ty.or_not("no such type")?));
                    }
                }
                Payload::StartSection { .. } => return Err(NotSlim::Shape("it has a start")),
                Payload::ElementSection(_) => has_elements = true,
                Payload::DataCountSection { count: is, .. } => count = Some(is),
                Payload::DataSection(section) => {
                    for segment in section {
                        let segment = segment?;
                        match segment.kind {
                            wasmparser::DataKind::Passive => {
                                // The code knows them by their number.
                                only_if(data.is_empty(), "its data is in another order")?;
                                passive += 1;
                            }
                            wasmparser::DataKind::Active { offset_expr, .. } => {
                                data.push((constant(&offset_expr)?, segment.data));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        only_if(has_elements, "it has no functions in tables")?;
        let [memory] = memories[..] else {
            return Err(NotSlim::Shape("it hasn't one memory"));
        };
        Ok(Main {
            bytes,
            imports,
            exports,
            memory,
            data,
            passive: count.map(|_| passive),
        })
    }
}
