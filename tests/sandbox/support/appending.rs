//! Components of more than their toolchain would put into them.

/// The component with one more core module, which is instantiated so many times.
pub(crate) fn appending(mut component: Vec<u8>, module: &str, times: u8) -> Vec<u8> {
    let mut index = 0;
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(&component) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } => {
                index += u8::from(depth == 0);
                depth += 1;
            }
            wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    let module = wat::parse_str(module).unwrap();
    section(&mut component, 1, &module);
    // Each: instantiate, that module, no arguments.
    let instances = std::iter::repeat_n([0, index, 0], times.into()).flatten();
    let instances: Vec<u8> = std::iter::once(times).chain(instances).collect();
    section(&mut component, 2, &instances);
    component
}

fn section(component: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    component.push(id);
    let mut length = bytes.len();
    while length > 0x7f {
        component.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    component.push(length as u8);
    component.extend_from_slice(bytes);
}
