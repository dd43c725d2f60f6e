#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use super::{KEY, LONGEST, Name, Refused, StateError, StateStore, Sum, VALUE};

const NOON: u64 = 1_800_000_000_000;

fn sum(owner: &str, key: &str, window: u32, at: u64) -> Sum {
    Sum {
        owner: owner.into(),
        key: key.to_owned(),
        window,
        at,
    }
}

fn name(owner: &str, key: &str) -> Name {
    Name {
        owner: owner.into(),
        key: key.to_owned(),
    }
}

/// The present, for windows that mustn't be swept as passed.
fn present() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as u64
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Scene {
        Scene(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("folder/state.db")
    }

    fn store(&self) -> StateStore {
        StateStore::at(self.path())
    }
}

#[tokio::test]
async fn a_sum_belongs_to_an_owner_a_key_a_length_and_a_window() {
    let scene = Scene::new();
    let store = scene.store();
    assert_eq!(store.add(sum("a", "k", 60, NOON), 2).await, Ok(2));
    assert_eq!(store.add(sum("a", "k", 60, NOON + 59_999), 3).await, Ok(5));
    for other in [
        sum("b", "k", 60, NOON),
        sum("a", "l", 60, NOON),
        sum("a", "k", 30, NOON),
        sum("a", "k", 60, NOON + 60_000),
        sum("a", "k", 60, NOON - 1),
    ] {
        assert_eq!(store.add(other.clone(), 0).await, Ok(0), "{other:?}");
    }
    assert_eq!(store.add(sum("a", "k", 60, NOON), -4).await, Ok(1));
    assert_eq!(store.add(sum("a", "k", 60, NOON), 0).await, Ok(1));
}

#[tokio::test]
async fn of_a_sum_that_came_back_to_nothing_no_row_stays() {
    let scene = Scene::new();
    let store = scene.store();
    let now = present();
    let rows = || {
        let connection = rusqlite::Connection::open(scene.path()).unwrap();
        let rows =
            connection.query_row("SELECT count(*) FROM sums", [], |row| row.get::<_, u64>(0));
        rows.unwrap()
    };
    for key in ["one", "two", "three"] {
        assert_eq!(store.add(sum("a", key, 3600, now), 5).await, Ok(5));
    }
    assert_eq!(store.add(sum("a", "one", 3600, now), -5).await, Ok(0));
    assert_eq!(
        store.take(sum("a", "two", 3600, now), -5, 0).await,
        Ok(Some(0))
    );
    assert_eq!(store.add(sum("a", "four", 3600, now), 0).await, Ok(0));
    assert_eq!(rows(), 1);
    // It is a sum like any other, and begins anew.
    assert_eq!(store.add(sum("a", "one", 3600, now), 0).await, Ok(0));
    assert_eq!(store.add(sum("a", "one", 3600, now), -3).await, Ok(-3));
    assert_eq!(store.add(sum("a", "one", 3600, now), 3).await, Ok(0));
    assert_eq!(store.add(sum("a", "three", 3600, now), 1).await, Ok(6));
    assert_eq!(rows(), 1);
}

#[tokio::test]
async fn taking_never_goes_past_the_most_whoever_takes_at_once() {
    let scene = Scene::new();
    let store = scene.store();
    let takers = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut taken = 0;
            for _ in 0..5 {
                let sum = sum("a", "budget", 3600, NOON);
                taken += usize::from(store.take(sum, 1, 100).await.unwrap().is_some());
            }
            taken
        })
    });
    let mut taken = 0;
    for taker in takers.collect::<Vec<_>>() {
        taken += taker.await.unwrap();
    }
    assert_eq!(taken, 100);
    assert_eq!(
        store.take(sum("a", "budget", 3600, NOON), -1, 0).await,
        Ok(Some(99))
    );
}

#[tokio::test]
async fn a_value_is_there_until_it_expires_is_replaced_or_removed() {
    let scene = Scene::new();
    let store = scene.store();
    assert_eq!(store.get(name("a", "k")).await, Ok(None));
    store.put(name("a", "k"), "one".into(), 60).await.unwrap();
    store.put(name("b", "k"), "other".into(), 60).await.unwrap();
    assert_eq!(store.get(name("a", "k")).await, Ok(Some("one".into())));
    store.put(name("a", "k"), "two".into(), 60).await.unwrap();
    assert_eq!(store.get(name("a", "k")).await, Ok(Some("two".into())));
    store.put(name("a", "k"), String::new(), 0).await.unwrap();
    assert_eq!(store.get(name("a", "k")).await, Ok(None));
    assert_eq!(store.get(name("b", "k")).await, Ok(Some("other".into())));
    // What has expired: written so, since nobody waits here.
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    connection
        .execute("UPDATE kept SET expires = 1", [])
        .unwrap();
    assert_eq!(store.get(name("b", "k")).await, Ok(None));
}

#[tokio::test]
async fn of_many_who_keep_a_new_value_one_does() {
    let scene = Scene::new();
    // Two handles of the file, as of two processes.
    let stores = [scene.store(), scene.store()];
    let keepers = (0..64).map(|n: usize| {
        let store = stores[n % 2].clone();
        tokio::spawn(async move {
            let kept = store.put_new(name("a", "k"), n.to_string(), 60).await;
            kept.unwrap().then_some(n)
        })
    });
    let mut kept = Vec::new();
    for keeper in keepers.collect::<Vec<_>>() {
        kept.extend(keeper.await.unwrap());
    }
    let [one] = &kept[..] else {
        panic!("one is new: {kept:?}");
    };
    let value = stores[0].get(name("a", "k")).await;
    assert_eq!(value, Ok(Some(one.to_string())));
    let long = stores[0].put_new(name("a", "k"), "v".into(), LONGEST + 1);
    assert_eq!(long.await, Err(Refused::Time));
    // What has expired is none.
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    connection
        .execute("UPDATE kept SET expires = 1", [])
        .unwrap();
    let again = stores[0].put_new(name("a", "k"), "v".into(), 60);
    assert_eq!(again.await, Ok(true));
}

#[tokio::test]
async fn what_was_answered_is_there_for_the_next_one_who_opens_the_file() {
    let scene = Scene::new();
    let first = scene.store();
    first
        .add(sum("a", "k", LONGEST, present()), 7)
        .await
        .unwrap();
    first.put(name("a", "v"), "kept".into(), 60).await.unwrap();
    // Beside the one that has it open, as the release that takes over does, and as after a kill.
    let second = scene.store();
    assert_eq!(
        second.add(sum("a", "k", LONGEST, present()), 1).await,
        Ok(8)
    );
    assert_eq!(second.get(name("a", "v")).await, Ok(Some("kept".into())));
    assert_eq!(first.add(sum("a", "k", LONGEST, present()), 1).await, Ok(9));
}

#[tokio::test]
async fn what_has_passed_is_removed_when_the_file_is_opened() {
    let scene = Scene::new();
    let store = scene.store();
    store.add(sum("a", "old", 60, 0), 1).await.unwrap();
    store.add(sum("a", "new", 60, present()), 1).await.unwrap();
    scene.store().open().await.unwrap();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let left: Vec<String> = connection
        .prepare("SELECT key FROM sums")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(left, ["new"]);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let scene = Scene::new();
    let store = scene.store();
    let long = "k".repeat(KEY + 1);
    assert_eq!(
        store.add(sum("a", &long, 60, NOON), 1).await,
        Err(Refused::Key)
    );
    assert_eq!(store.get(name("a", &long)).await, Err(Refused::Key));
    assert_eq!(
        store.add(sum("a", "k", 0, NOON), 1).await,
        Err(Refused::Window)
    );
    assert_eq!(
        store.add(sum("a", "k", LONGEST + 1, NOON), 1).await,
        Err(Refused::Window)
    );
    let put = |value: String, seconds| store.put(name("a", "k"), value, seconds);
    assert_eq!(put("v".repeat(VALUE + 1), 1).await, Err(Refused::Value));
    assert_eq!(put("v".into(), LONGEST + 1).await, Err(Refused::Time));
    store.add(sum("a", "k", 60, NOON), i64::MAX).await.unwrap();
    assert_eq!(
        store.add(sum("a", "k", 60, NOON), 1).await,
        Err(Refused::Amount)
    );
    assert_eq!(store.add(sum("a", "k", 60, NOON), 0).await, Ok(i64::MAX));
}

#[tokio::test]
async fn an_owner_has_room_for_so_many_bytes_and_no_more() {
    let scene = Scene::new();
    let store = scene.store();
    let value = "v".repeat(VALUE);
    for number in 0..256 {
        let name = name("a", &number.to_string());
        store.put(name, value.clone(), 3600).await.unwrap();
    }
    let put = |owner: &str, value: &str| store.put(name(owner, "more"), value.into(), 3600);
    assert_eq!(put("a", "v").await, Err(Refused::Full));
    put("b", "v").await.unwrap();
    // What takes the place of another is no more.
    store
        .put(name("a", "7"), value.clone(), 3600)
        .await
        .unwrap();
    store.put(name("a", "7"), String::new(), 0).await.unwrap();
    put("a", "v").await.unwrap();
}

#[tokio::test]
async fn files_that_are_something_else_are_refused_with_what_to_do() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.path().parent().unwrap()).unwrap();
    std::fs::write(
        scene.path(),
        "no database at all, but a text that is long enough to be one's head: ".repeat(20),
    )
    .unwrap();
    let error = scene.store().open().await.unwrap_err();
    assert!(matches!(error, StateError::Foreign { .. }), "{error}");
    std::fs::remove_file(scene.path()).unwrap();
    let other = rusqlite::Connection::open(scene.path()).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    let error = scene.store().open().await.unwrap_err().to_string();
    assert!(
        error.contains("it is a database of something else"),
        "{error}"
    );
    assert!(error.contains("`state.store`"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error_and_a_later_try_may_succeed() {
    let scene = Scene::new();
    // A file in the folder's place: also root can't make a folder there.
    let folder = scene.path().parent().unwrap().to_owned();
    std::fs::write(&folder, "in the way").unwrap();
    let store = scene.store();
    assert_eq!(
        store.add(sum("a", "k", 60, NOON), 1).await,
        Err(Refused::Store)
    );
    assert!(store.health().is_err());
    assert_eq!(store.failures(), 1);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(store.add(sum("a", "k", 60, NOON), 1).await, Ok(1));
    assert_eq!(store.health(), Ok(()));
}

#[tokio::test]
async fn a_file_that_was_deleted_is_told_and_nothing_counts_meanwhile() {
    let scene = Scene::new();
    let store = scene.store();
    store.add(sum("a", "k", 60, NOON), 1).await.unwrap();
    let aside = scene.path().with_extension("aside");
    std::fs::rename(scene.path(), &aside).unwrap();
    assert_eq!(
        store.add(sum("a", "k", 60, NOON), 1).await,
        Err(Refused::Store)
    );
    let error = store.health().unwrap_err().to_string();
    assert!(error.contains("moved, replaced or deleted"), "{error}");
    std::fs::rename(&aside, scene.path()).unwrap();
    assert_eq!(store.add(sum("a", "k", 60, NOON), 1).await, Ok(2));
    assert_eq!(store.health(), Ok(()));
}

#[tokio::test]
async fn the_file_is_the_owners_alone() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new();
    scene.store().open().await.unwrap();
    assert_eq!(scene.path().metadata().unwrap().mode() & 0o777, 0o600);
    let folder = scene.path().parent().unwrap().metadata().unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
}

#[tokio::test]
async fn the_thread_ends_with_the_last_handle() {
    let scene = Scene::new();
    let store = scene.store();
    store.open().await.unwrap();
    let orders = store.0.orders.get().unwrap().downgrade();
    let kept = Arc::downgrade(&store.0);
    drop(store);
    assert!(kept.upgrade().is_none() && orders.upgrade().is_none());
}

/// A batch in which one operation fails: each is answered, with the reason that the file has.
#[tokio::test]
async fn when_one_operation_fails_all_of_its_batch_are_told_so_and_why_is_known() {
    let scene = Scene::new();
    let store = scene.store();
    store.add(sum("a", "k", 60, NOON), 1).await.unwrap();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let refuse =
        "CREATE TRIGGER no BEFORE INSERT ON kept BEGIN SELECT RAISE(FAIL, 'as the test says'); END";
    connection.execute_batch(refuse).unwrap();
    let put = |key: &'static str| {
        let store = store.clone();
        tokio::spawn(async move { store.put(name("a", key), "v".into(), 60).await })
    };
    for asked in ["one", "two", "three", "four"].map(put) {
        assert_eq!(asked.await.unwrap(), Err(Refused::Store));
    }
    let why = store.health().unwrap_err().to_string();
    assert!(why.contains("as the test says"), "{why}");
    connection.execute_batch("DROP TRIGGER no").unwrap();
    assert_eq!(store.add(sum("a", "k", 60, NOON), 1).await, Ok(2));
}
