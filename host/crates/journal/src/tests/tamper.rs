//! Everything that can be done to the file, and what `verify` says of it.

use super::super::{BrokenLink, GivenHead, Hash, LinkFault, Verification};
use super::*;

fn five() -> Scene {
    Scene::with_entries([1_000, 2_000, 3_000, 4_000, 5_000])
}

fn after(sql: &str) -> Verification {
    let scene = five();
    scene.sql(sql).unwrap();
    scene.reader().verify(None).unwrap()
}

fn broken(seq: i64, fault: LinkFault) -> Option<BrokenLink> {
    Some(BrokenLink { seq, fault })
}

/// A row that no one could tell from an appended one, but for the heads that were kept.
fn forge(seq: i64, prev: Hash) -> (String, Hash) {
    let body = r#"{"forged":true}"#;
    let hash = super::super::chain::Link {
        form: super::super::chain::Form::Two,
        seq,
        at: 9_000,
        stage: "s",
        request_id: "r",
        body,
        prev: &prev,
    }
    .hash();
    let sql = format!(
        "INSERT INTO entries VALUES ({seq}, 9000, 's', 'r', '{body}', x'{prev}', x'{hash}');"
    );
    (sql, hash)
}

#[test]
fn an_untouched_chain_is_sound() {
    let found = five().reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.entries, 5);
    assert_eq!(found.first, Some((1, 1_000)));
    assert_eq!(found.last, Some((5, 5_000)));
}

#[test]
fn an_empty_journal_is_sound() {
    let found = Scene::with_entries([]).reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.entries, found.head), (0, Hash::GENESIS));
}

#[test]
fn each_changed_field_breaks_its_own_link() {
    for change in [
        "at = at + 1",
        "stage = 'other'",
        "request_id = 'r-9'",
        "body = replace(body, 'proceed', 'deny')",
        "hash = zeroblob(32)",
    ] {
        let found = after(&format!("UPDATE entries SET {change} WHERE seq = 3"));
        assert_eq!(found.broken, broken(3, LinkFault::Hash), "{change}");
        assert_eq!(found.entries, 2, "{change}");
    }
    let found = after("UPDATE entries SET prev = zeroblob(32) WHERE seq = 3");
    assert_eq!(found.broken, broken(3, LinkFault::Prev));
    let found = after("UPDATE entries SET seq = 6 WHERE seq = 5");
    assert_eq!(found.broken, broken(5, LinkFault::Missing { to: 5 }));
}

#[test]
fn an_entry_rewritten_with_a_hash_that_fits_breaks_the_next_link() {
    let scene = five();
    let prev: Vec<u8> = Connection::open(&scene.path)
        .unwrap()
        .query_row("SELECT hash FROM entries WHERE seq = 2", [], |row| {
            row.get(0)
        })
        .unwrap();
    let (sql, _) = forge(3, Hash::from_slice(&prev).unwrap());
    scene
        .sql(&format!("DELETE FROM entries WHERE seq = 3; {sql}"))
        .unwrap();
    let found = scene.reader().verify(None).unwrap();
    assert_eq!(found.broken, broken(4, LinkFault::Prev));
}

#[test]
fn fields_that_no_journal_writes_are_named() {
    for change in ["hash = x'00'", "prev = x''", "body = CAST(x'ff' AS TEXT)"] {
        let found = after(&format!("UPDATE entries SET {change} WHERE seq = 3"));
        let fault = found.broken.unwrap();
        assert!(
            matches!(fault.fault, LinkFault::Unreadable(_)),
            "{change}: {fault}"
        );
        assert_eq!(fault.seq, 3);
    }
}

#[test]
fn a_deleted_row_is_missed() {
    let found = after("DELETE FROM entries WHERE seq = 3");
    assert_eq!(found.broken, broken(3, LinkFault::Missing { to: 3 }));
    let found = after("DELETE FROM entries WHERE seq IN (2, 3, 4)");
    assert_eq!(found.broken, broken(2, LinkFault::Missing { to: 4 }));
}

#[test]
fn a_prefix_deleted_without_a_checkpoint_is_missed() {
    let found = after("DELETE FROM entries WHERE seq <= 2");
    assert_eq!(found.broken, broken(1, LinkFault::Missing { to: 2 }));
}

#[test]
fn an_inserted_row_does_not_fit() {
    let (sql, _) = forge(6, Hash::GENESIS);
    assert_eq!(after(&sql).broken, broken(6, LinkFault::Prev));
    let (sql, _) = forge(6, five().reader().verify(None).unwrap().head);
    let found = after(&sql).broken.unwrap();
    assert!(matches!(found.fault, LinkFault::End(_)), "{found:?}");
    let (sql, _) = forge(0, Hash::GENESIS);
    let found = after(&sql).broken.unwrap().fault;
    assert!(matches!(found, LinkFault::Unreadable(_)), "{found:?}");
    // Between two: the later ones had to move, and are no longer what was hashed.
    let (sql, _) = forge(3, Hash::GENESIS);
    let found = after(&format!(
        "UPDATE entries SET seq = -seq - 1 WHERE seq >= 3; UPDATE entries SET seq = -seq WHERE seq < 0; {sql}"
    ));
    assert_eq!(found.broken, broken(3, LinkFault::Prev));
}

#[test]
fn a_cut_end_and_an_emptied_journal_do_not_fit_the_note_of_the_end() {
    let found = after("DELETE FROM entries WHERE seq >= 4");
    assert_eq!(found.broken, broken(4, LinkFault::CutOff { to: 5 }));
    assert_eq!((found.entries, found.is_sound()), (3, false));
    let found = after("DELETE FROM entries");
    assert_eq!(found.broken, broken(1, LinkFault::CutOff { to: 5 }));
    let found = after("DELETE FROM meta WHERE key = 'head'").broken.unwrap();
    assert_eq!(found.fault, LinkFault::End("its note is gone"));
    let found = after("UPDATE meta SET value = '5 ' || hex(zeroblob(32)) WHERE key = 'head'");
    assert!(!found.is_sound(), "{found:?}");
    let emptied = "DELETE FROM entries; DELETE FROM meta WHERE key = 'head'";
    assert!(!after(emptied).is_sound());
}

/// Cuts the end off, and changes the note of it as well.
fn cut_with_its_note() -> Scene {
    let scene = five();
    scene
        .sql(
            "DELETE FROM entries WHERE seq >= 4; UPDATE meta SET value =
             (SELECT seq || ' ' || lower(hex(hash)) FROM entries WHERE seq = 3) WHERE key = 'head'",
        )
        .unwrap();
    scene
}

#[test]
fn an_end_cut_off_with_its_note_shows_only_to_whoever_kept_a_head() {
    let head = five().reader().verify(None).unwrap().head;
    let scene = cut_with_its_note();
    let unknowing = scene.reader().verify(None).unwrap();
    assert!(unknowing.is_sound(), "{unknowing:?}");
    assert_ne!(unknowing.head, head);
    let knowing = scene.reader().verify(Some(head)).unwrap();
    assert_eq!(knowing.given, Some(GivenHead::NotFound));
    assert!(!knowing.is_sound(), "{knowing:?}");
}

#[test]
fn a_head_is_found_where_it_was() {
    let scene = five();
    let head = scene.reader().verify(None).unwrap().head;
    let mut log = Log::open(&scene.path).unwrap();
    log.append(9_000, [entry(6)].iter()).unwrap();
    log.close();
    let found = scene.reader().verify(Some(head)).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(
        (found.given, found.last),
        (Some(GivenHead::Entry(5)), Some((6, 9_000)))
    );
}

#[test]
fn a_prefix_that_retention_did_not_remove_is_missed_whatever_a_checkpoint_says() {
    let scene = five();
    let head = scene.reader().verify(None).unwrap().head;
    scene
        .sql(
            "INSERT INTO checkpoint SELECT seq, hash, at, seq FROM entries WHERE seq = 3;
             DELETE FROM entries WHERE seq <= 3",
        )
        .unwrap();
    for given in [None, Some(head)] {
        let found = scene.reader().verify(given).unwrap();
        let fault = found.broken.clone().unwrap();
        assert_eq!(fault.seq, 3, "{fault}");
        assert!(matches!(fault.fault, LinkFault::Checkpoint(_)), "{fault}");
        assert!(!found.is_sound());
    }
}

#[test]
fn an_entry_about_one_checkpoint_vouches_for_no_other() {
    let scene = five();
    let mut log = Log::open(&scene.path).unwrap();
    assert_eq!(log.remove_before(2_500, 9_000).unwrap().count, 2);
    log.close();
    assert!(scene.reader().verify(None).unwrap().is_sound());
    scene
        .sql(
            "INSERT INTO checkpoint SELECT seq, hash, at, 2 FROM entries WHERE seq = 4;
             DELETE FROM entries WHERE seq <= 4",
        )
        .unwrap();
    let found = scene.reader().verify(None).unwrap();
    assert_eq!(found.broken.unwrap().seq, 4);
}

#[test]
fn a_checkpoint_that_was_changed_does_not_fit() {
    let removed = || {
        let scene = five();
        let mut log = Log::open(&scene.path).unwrap();
        assert_eq!(log.remove_before(3_000, 9_000).unwrap().count, 2);
        log.close();
        scene
    };
    let scene = removed();
    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.first, Some((3, 3_000)));
    for change in [
        "UPDATE checkpoint SET seq = 1",
        "UPDATE checkpoint SET seq = 3",
        "UPDATE checkpoint SET seq = 3, count = 3",
        "UPDATE checkpoint SET hash = zeroblob(32)",
        "UPDATE checkpoint SET hash = zeroblob(31)",
        "UPDATE checkpoint SET count = 1",
        "INSERT INTO checkpoint VALUES (9, zeroblob(32), 0, 7)",
    ] {
        let scene = removed();
        scene.sql(change).unwrap();
        let fault = scene.reader().verify(None).unwrap().broken.unwrap().fault;
        assert!(
            matches!(fault, LinkFault::Checkpoint(_)),
            "{change}: {fault:?}"
        );
    }
    let scene = removed();
    scene.sql("DELETE FROM checkpoint").unwrap();
    let found = scene.reader().verify(None).unwrap();
    assert_eq!(found.broken, broken(1, LinkFault::Missing { to: 2 }));
    let scene = removed();
    scene
        .sql("UPDATE checkpoint SET seq = 1, count = 1")
        .unwrap();
    let found = scene.reader().verify(None).unwrap();
    assert_eq!(found.broken, broken(2, LinkFault::Missing { to: 2 }));
}
