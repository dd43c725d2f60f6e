//! Two attempts at one answer: the second begins when the first is late, and whoever answers first is the only one that does.
//!
//! What must stay true: no more than one result is an answer that anybody reads. The other attempt is dropped before that one is handed on, and
//! with it its connection.

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

/// What came of the two. `None`: it was given up, or never began.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raced<T, E> {
    pub(super) first: Option<Result<T, E>>,
    pub(super) second: Option<Result<T, E>>,
}

/// Waits for the first attempt and, once it is `late`, for the second too. That one may decide not to begin, which is `None`. An answer
/// of the second's counts at once where it is `good`, and else when the first has failed.
pub(super) async fn race<T, E>(
    first: impl Future<Output = Result<T, E>>,
    late: Duration,
    second: impl Future<Output = Option<Result<T, E>>>,
    good: impl Fn(&T) -> bool,
) -> Raced<T, E> {
    let mut first = pin!(first);
    let mut raced = Raced {
        first: None,
        second: None,
    };
    tokio::select! {
        biased;
        done = &mut first => {
            raced.first = Some(done);
            return raced;
        }
        () = sleep(late) => {}
    }
    let mut second = pin!(second);
    let mut under_way = true;
    loop {
        tokio::select! {
            biased;
            done = &mut first, if raced.first.is_none() => {
                let answered = done.is_ok();
                raced.first = Some(done);
                if answered {
                    return raced;
                }
            }
            done = &mut second, if under_way => {
                under_way = false;
                let answered = matches!(&done, Some(Ok(answer)) if good(answer));
                raced.second = done;
                if answered {
                    return raced;
                }
            }
        }
        if raced.first.is_some() && !under_way {
            return raced;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    const LATE: Duration = Duration::from_millis(100);

    async fn after(ms: u64, result: Result<u8, &'static str>) -> Result<u8, &'static str> {
        sleep(Duration::from_millis(ms)).await;
        result
    }

    /// What comes of a first attempt that takes so long, and a second one; the second's begin, and how long it all took.
    async fn raced(
        first: (u64, Result<u8, &'static str>),
        second: (u64, Option<Result<u8, &'static str>>),
    ) -> (Raced<u8, &'static str>, Option<u128>, u128) {
        let (began, start) = (Cell::new(None), Instant::now());
        let other = async {
            began.set(Some(start.elapsed().as_millis()));
            match second.1 {
                Some(result) => Some(after(second.0, result).await),
                None => None,
            }
        };
        // An odd answer is a good one.
        let raced = race(after(first.0, first.1), LATE, other, |it| it % 2 == 1).await;
        (raced, began.get(), start.elapsed().as_millis())
    }

    fn came<T, E>(first: Option<Result<T, E>>, second: Option<Result<T, E>>) -> Raced<T, E> {
        Raced { first, second }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_is_asked_for_once() {
        for first in [Ok(1), Ok(2), Err("no")] {
            let (raced, began, took) = raced((99, first), (1, Some(Ok(3)))).await;
            assert_eq!(raced, came(Some(first), None));
            assert_eq!((began, took), (None, 99));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_wins_whoever_gives_it() {
        let (it, began, took) = raced((1000, Ok(1)), (50, Some(Ok(3)))).await;
        assert_eq!((began, took), (Some(100), 150));
        assert_eq!(it, came(None, Some(Ok(3))));
        let (it, _, took) = raced((120, Ok(1)), (50, Some(Ok(3)))).await;
        assert_eq!((it, took), (came(Some(Ok(1)), None), 120));
        // At the same time: one.
        let (it, ..) = raced((150, Ok(1)), (50, Some(Ok(3)))).await;
        assert_eq!(it, came(Some(Ok(1)), None));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_leaves_the_other_to_answer() {
        let (it, _, took) = raced((120, Err("no")), (500, Some(Ok(3)))).await;
        assert_eq!((it, took), (came(Some(Err("no")), Some(Ok(3))), 600));
        let (it, _, took) = raced((500, Ok(1)), (10, Some(Err("no")))).await;
        assert_eq!((it, took), (came(Some(Ok(1)), Some(Err("no"))), 500));
        let (it, _, took) = raced((500, Err("a")), (10, Some(Err("b")))).await;
        assert_eq!((it, took), (came(Some(Err("a")), Some(Err("b"))), 500));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_no_good_waits_for_the_first() {
        let (it, _, took) = raced((500, Ok(1)), (10, Some(Ok(2)))).await;
        assert_eq!((it, took), (came(Some(Ok(1)), Some(Ok(2))), 500));
        let (it, _, took) = raced((500, Err("no")), (10, Some(Ok(2)))).await;
        assert_eq!((it, took), (came(Some(Err("no")), Some(Ok(2))), 500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_that_does_not_begin_leaves_the_first_alone() {
        for first in [Ok(1), Err("no")] {
            let (it, began, took) = raced((500, first), (0, None)).await;
            assert_eq!((it, began, took), (came(Some(first), None), Some(100), 500));
        }
    }
}
