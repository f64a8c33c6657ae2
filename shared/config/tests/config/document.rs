//! Documents of other kinds than the configuration.

use drawbridge_config::document::{fields, items, read_file, text};

fn read(content: &str) -> Result<Vec<String>, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.yaml");
    std::fs::write(&file, content).unwrap();
    let read = read_file(&file, "`names`", |root, report| {
        fields(root, report, |file| file.required("names", "the names", items(text)))
    });
    read.map_err(|mistakes| {
        let mistakes = mistakes.to_string();
        let folder = format!("{}/", folder.path().display());
        mistakes.lines().map(|line| line.replace(&folder, "")).collect()
    })
}

#[test]
fn another_document_is_read_with_the_same_care() {
    assert_eq!(read("names: [a, b]"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    let table: [(&str, &[&str]); 4] = [
        ("# nothing\n", &["list.yaml: is empty; write at least `names`"]),
        ("{}", &["list.yaml:1:1: `names` is missing; write the names"]),
        (
            "names: [1, a]\nname: x\n",
            &[
                "list.yaml:1:9: names[0]: is a number; put it in quotes to write it as text",
                "list.yaml:2:1: name: unknown field `name`; did you mean `names`?",
            ],
        ),
        (
            "names: [a]\nnames: [b]\n",
            &["list.yaml:2:1: names: `names` is written twice, first in line 1; keep one"],
        ),
    ];
    for (content, mistakes) in table {
        assert_eq!(read(content).unwrap_err(), mistakes, "{content}");
    }
    let missing = read_file(std::path::Path::new("missing.yaml"), "`names`", |_, _| Ok(()));
    assert!(missing.unwrap_err().to_string().starts_with("missing.yaml: cannot be read: "));
}
