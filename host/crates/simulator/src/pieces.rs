//! An answer cut into the chunks of a stream: which text goes in which event, and when it is due.

use super::fault::Fault;
use super::plan::Choice;
use super::random::Dice;
use super::refusal::Refusal;
use super::tokens;

/// How texts are cut.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Chunking {
    /// One to about fifteen tokens each, mostly few; the seed decides.
    Tokens(u64),
    /// These numbers of characters. The last one repeats to the end.
    Characters(Vec<usize>),
    /// Each text in one piece.
    Whole,
}

impl Chunking {
    /// Reads the value of `x-simulate-chunk`: `token`, `whole`, or sizes in characters with commas between.
    pub(super) fn read(text: &str) -> Result<Option<Self>, Refusal> {
        let text = text.trim();
        match text {
            "token" => return Ok(None),
            "whole" => return Ok(Some(Self::Whole)),
            _ => {}
        }
        let sizes: Option<Vec<usize>> = text
            .split(',')
            .map(|size| size.trim().parse().ok().filter(|size| *size > 0))
            .collect();
        sizes.map(Self::Characters).map(Some).ok_or_else(|| {
            Refusal::wrong_format(format!(
                "the simulator can't cut by '{text}'; \
                 it takes 'token', 'whole', or numbers of characters such as '3' or '3,1,7'"
            ))
        })
    }

    /// Calls `each` with the end of each piece and the tokens up to there.
    fn cut(&self, text: &str, mut each: impl FnMut(usize, f64)) {
        if text.is_empty() {
            return;
        }
        match self {
            Self::Whole => each(text.len(), tokens::count(text) as f64),
            Self::Tokens(seed) => {
                let mut dice = Dice(*seed);
                let mut end = 0;
                let mut done = 0;
                let mut left = draw(&mut dice);
                for token in tokens::cut(text) {
                    end += token.len();
                    done += 1;
                    left -= 1;
                    if left == 0 || end == text.len() {
                        each(end, f64::from(done));
                        left = draw(&mut dice);
                    }
                }
            }
            Self::Characters(sizes) => {
                let per_byte = tokens::count(text) as f64 / text.len() as f64;
                let mut sizes = sizes.iter().copied();
                let mut size = sizes.next().unwrap_or(1);
                let mut end = 0;
                while end < text.len() {
                    end += text[end..]
                        .chars()
                        .take(size)
                        .map(char::len_utf8)
                        .sum::<usize>();
                    each(end, end as f64 * per_byte);
                    size = sizes.next().unwrap_or(size);
                }
            }
        }
    }
}

/// How many tokens the next chunk has.
fn draw(dice: &mut Dice) -> u32 {
    const SIZES: [u32; 16] = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 8, 11, 15];
    SIZES[(dice.roll() % 16) as usize]
}

/// What an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Role,
    Reasoning,
    Content,
    /// A call's id and name, with no arguments.
    CallOpen(usize),
    CallPart(usize),
    /// A whole call.
    CallWhole(usize),
    Finish,
}

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub(super) choice: usize,
    pub(super) what: What,
    /// The part of the text that `what` names.
    pub(super) start: usize,
    pub(super) end: usize,
    /// It is due once its choice has written this many tokens.
    pub(super) due: f64,
}

/// How a stream is cut.
#[derive(Debug)]
pub(super) struct Cutting {
    pub(super) chunking: Chunking,
    /// Chats begin with a role; text completions don't.
    pub(super) roles: bool,
    pub(super) calls_whole: bool,
}

/// The events of all choices, in the order in which they are due: choices are written side by side.
pub(super) fn of(choices: &[Choice], cutting: &Cutting) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        one(&mut pieces, index, choice, cutting);
    }
    if choices.len() > 1 {
        // A stable sort keeps the order within a choice, whose dues never fall.
        pieces.sort_by(|a, b| a.due.total_cmp(&b.due));
    }
    pieces
}

fn one(pieces: &mut Vec<Piece>, index: usize, choice: &Choice, cutting: &Cutting) {
    let mut done = 0.0;
    let mut add = |what, start, end, due| {
        pieces.push(Piece {
            choice: index,
            what,
            start,
            end,
            due,
        });
    };
    if cutting.roles {
        add(What::Role, 0, 0, 0.0);
    }
    let run =
        |text: &str, what: What, done: &mut f64, add: &mut dyn FnMut(What, usize, usize, f64)| {
            let (mut start, mut last) = (0, 0.0);
            cutting.chunking.cut(text, |end, tokens| {
                add(what, start, end, *done + tokens);
                (start, last) = (end, tokens);
            });
            *done += last;
        };
    run(&choice.reasoning, What::Reasoning, &mut done, &mut add);
    let content = choice.content.as_deref().unwrap_or_default();
    run(content, What::Content, &mut done, &mut add);
    for (number, call) in choice.calls.iter().enumerate() {
        done += tokens::count(&call.name) as f64;
        if cutting.calls_whole {
            done += tokens::count(&call.arguments) as f64;
            add(What::CallWhole(number), 0, call.arguments.len(), done);
        } else {
            add(What::CallOpen(number), 0, 0, done);
            run(&call.arguments, What::CallPart(number), &mut done, &mut add);
        }
    }
    add(What::Finish, 0, 0, done);
}

/// How a stream breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// An error event, and the end.
    Error,
    /// The connection breaks.
    Cut,
    /// Nothing more comes, and the connection stays open.
    Stall,
    /// An event that isn't JSON; the stream goes on.
    Junk,
}

/// The first break that the faults ask for, and before which event it comes: halfway through the text and calls, but
/// after the first of them.
pub(super) fn break_of(faults: &[Fault], pieces: &[Piece]) -> Option<(usize, Break)> {
    faults.iter().find_map(|fault| {
        let how = match fault {
            Fault::ErrorFirst => return Some((0, Break::Error)),
            Fault::ErrorMidStream => Break::Error,
            Fault::Cut => Break::Cut,
            Fault::Stall => Break::Stall,
            Fault::NotJson => Break::Junk,
            _ => return None,
        };
        let told: Vec<usize> = (0..pieces.len())
            .filter(|at| {
                !matches!(
                    pieces[*at].what,
                    What::Role | What::Reasoning | What::Finish
                )
            })
            .collect();
        let at = match told.len() {
            0 => pieces
                .iter()
                .position(|piece| piece.what == What::Finish)
                .unwrap_or(0),
            count => told[(count - 1) / 2] + 1,
        };
        Some((at, how))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn texts(text: &str, chunking: &Chunking) -> Vec<String> {
        let mut start = 0;
        let mut cut = Vec::new();
        chunking.cut(text, |end, _| {
            cut.push(text[start..end].to_owned());
            start = end;
        });
        cut
    }

    #[test]
    fn sizes_are_in_characters_and_the_last_goes_on() {
        let chunking = Chunking::read("3,1,2").unwrap().unwrap();
        assert_eq!(texts("äbcdefghi", &chunking), ["äbc", "d", "ef", "gh", "i"]);
        assert_eq!(texts("", &chunking), [""; 0]);
        Chunking::read("0").unwrap_err();
        Chunking::read("few").unwrap_err();
    }

    #[test]
    fn token_chunks_are_many_sizes_and_the_same_for_the_same_seed() {
        let text = "one two three four five six seven eight nine ten ".repeat(20);
        let cut = texts(&text, &Chunking::Tokens(7));
        assert_eq!(cut.concat(), text);
        assert_eq!(cut, texts(&text, &Chunking::Tokens(7)));
        assert_ne!(cut, texts(&text, &Chunking::Tokens(8)));
        let most = cut.iter().map(|piece| tokens::count(piece)).max();
        assert!(most > Some(4) && most < Some(17), "{most:?}");
    }

    #[test]
    fn choices_are_written_side_by_side() {
        let choice = Choice {
            content: Some("a b c d".to_owned()),
            ..Choice::default()
        };
        let cutting = Cutting {
            chunking: Chunking::Characters(vec![2]),
            roles: true,
            calls_whole: false,
        };
        let pieces = of(&[choice.clone(), choice], &cutting);
        let order: Vec<_> = pieces.iter().map(|piece| piece.choice).collect();
        assert_eq!(order, [0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1]);
        assert_eq!(pieces.last().unwrap().what, What::Finish);
    }

    #[test]
    fn a_break_comes_after_some_content() {
        let choice = Choice {
            reasoning: "think".to_owned(),
            content: Some("abcd".to_owned()),
            ..Choice::default()
        };
        let cutting = Cutting {
            chunking: Chunking::Characters(vec![1]),
            roles: true,
            calls_whole: false,
        };
        let pieces = of(&[choice], &cutting);
        let (at, how) = break_of(&[Fault::Crlf, Fault::Cut], &pieces).unwrap();
        assert_eq!((at, how), (1 + 5 + 2, Break::Cut));
        assert_eq!(break_of(&[Fault::Crlf], &pieces), None);
    }
}
