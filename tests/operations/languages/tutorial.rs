//! `docs/authors/tutorial.md`, followed by its letter: the commands that it shows, with the code and the samples that stand between them.

use super::*;

/// The page's blocks of that language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let after = page.split(opening.as_str()).skip(1);
    after
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

/// The code of a block, with the lines that the page hides, and without what its test says behind it.
fn code(block: &str) -> String {
    let lines = block.lines();
    let lines = lines.take_while(|line| !line.starts_with("# use witgate_policy::{serde_json"));
    let shown = lines.map(|line| match line {
        "#" => "",
        line => line.strip_prefix("# ").unwrap_or(line),
    });
    let mut code = shown.collect::<Vec<_>>().join("\n");
    code.push_str("\nwitgate_policy::export!(Codenames);\n");
    code
}

/// The commands that the page shows, as they are typed.
fn commands(page: &str) -> Vec<&str> {
    let consoles = blocks(page, "console").into_iter().flat_map(str::lines);
    consoles
        .filter_map(|line| line.strip_prefix("$ "))
        .collect()
}

#[test]
fn the_tutorial_works_as_it_stands() {
    let page = std::fs::read_to_string(root().join("docs/authors/tutorial.md")).unwrap();
    let [new, cd, build, test, run] = commands(&page)[..] else {
        panic!("the tutorial shows other commands: {:?}", commands(&page));
    };
    fn words(command: &str) -> Vec<&str> {
        command.split(' ').skip(1).collect()
    }
    let folder = tempfile::tempdir().unwrap();
    let came = author(folder.path(), &words(new));
    assert!(came.well, "{came:?}");
    let project = folder.path().join(words(cd)[0]);
    let put = |file: &str, text: &str| std::fs::write(project.join(file), text).unwrap();

    // The settings, as the page has them written.
    let manifest = std::fs::read_to_string(project.join("policy.yaml")).unwrap();
    let before = manifest.lines().find(|line| line.starts_with("settings:"));
    let settings = "settings: {names: [Project Lynx]}";
    assert!(blocks(&page, "yaml").contains(&settings));
    put("policy.yaml", &manifest.replace(before.unwrap(), settings));
    let schema = json!({"type": "object", "required": ["names"], "properties": {
        "names": {"type": "array", "items": {"type": "string"}},
        "action": {"enum": ["redact", "deny", "report"]},
    }});
    put("settings.schema.json", &schema.to_string());

    // The wrong way, which a sample finds.
    let naive = blocks(&page, "rust")
        .into_iter()
        .find(|it| it.contains("struct Naive"));
    put("src/lib.rs", &code(naive.unwrap()));
    let samples = blocks(&page, "yaml")
        .into_iter()
        .find(|it| it.starts_with("- name:"));
    put("codenames.samples.yaml", samples.unwrap());
    let came = author(&project, &words(build));
    assert!(came.well, "{came:?}");
    let came = author(&project, &words(test));
    let shown = [
        "✗ A name goes, wherever the answer is cut",
        "+ \"All of our Project Lynx is late.\"",
    ];
    for said in shown {
        assert!(
            !came.well && page.contains(said) && came.out.contains(said),
            "{came:?}"
        );
    }

    // The right way, with all that the page ends with. Testing builds what is newer than the component.
    let recipes = root().join("plugins/examples/cookbook");
    let recipe = std::fs::read_to_string(recipes.join("src/codenames.rs")).unwrap();
    put("src/lib.rs", recipe.split("\n#[cfg(test)]").next().unwrap());
    std::fs::copy(
        recipes.join("codenames.samples.yaml"),
        project.join("codenames.samples.yaml"),
    )
    .unwrap();
    let came = author(&project, &words(test));
    assert!(came.well && came.err.contains("it is built"), "{came:?}");
    assert!(came.out.contains("0 failed"), "{came:?}");

    let typed = folder.path().join("typed");
    std::fs::write(&typed, "say: All of our Project Lynx is late.\n").unwrap();
    let mut talking = with_tools(&project, &words(run));
    talking.stdin(std::fs::File::open(&typed).unwrap());
    let came = ended(talking);
    assert!(
        came.well && came.out.contains("All of our [NAME] is late."),
        "{came:?}"
    );
}
