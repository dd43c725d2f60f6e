//! Misdeeds that Rust can't do, as policies written in core WebAssembly.

use super::forge::{CONFIGURED, DESCRIPTION, EDIT, Forged, OPENED, VERDICT, returning};
use super::list::Ends::{self, In, Unloaded, Well};
use super::mutations::{
    ALL_GRANTS, APPEND, LOOP, LOOP_IF_REAL, after, calling, completing, configuring, describing,
    dropping, editing, exporting, garbled, giving, journaling, judging, opening, reallocating,
    segments, starting, tables, telling,
};

/// Its name, what becomes of it, and the policies that do it, each in its own way.
pub(crate) type Misdeed = (&'static str, Ends, fn() -> Vec<Forged>);

/// Every one of them. In the sandbox's tests each has a test of its name, and the gateway's take all of them through whole
/// exchanges.
pub(crate) const MISDEEDS: &[Misdeed] = &[
    // Never coming back.
    ("loop-in-describe", Unloaded, || describing(LOOP)),
    ("loop-in-the-start-function", Unloaded, || starting(LOOP)),
    ("loop-after-describe", Unloaded, || after("describe", LOOP)),
    ("loop-after-configure", Unloaded, || {
        after("configure", LOOP)
    }),
    (
        "loop-after-on-request",
        In("on-request", "deadline"),
        || after("[method]exchange.on-request", LOOP_IF_REAL),
    ),
    ("loop-after-on-answer", In("on-answer", "deadline"), || {
        after("[method]exchange.on-answer", LOOP_IF_REAL)
    }),
    ("loop-after-on-delta", In("on-delta", "deadline"), || {
        after("[method]passage.on-delta", LOOP_IF_REAL)
    }),
    ("loop-after-on-end", In("on-end", "deadline"), || {
        after("[method]passage.on-end", LOOP_IF_REAL)
    }),
    ("loop-in-realloc", Unloaded, || reallocating(LOOP)),
    ("loop-in-realloc-later", In("on-delta", "deadline"), || {
        reallocating(&format!("{LOOP_IF_REAL} i32.const 8192"))
    }),
    ("loop-in-the-destructor-of-the-exchange", Well, || {
        let name = "witgate:policy/policy@1.0.0#[dtor]exchange";
        exporting(name, "(param i32)", LOOP)
    }),
    // Falling over where nobody looks.
    ("trap-in-describe", Unloaded, || describing("unreachable")),
    ("trap-in-the-start-function", Unloaded, || {
        starting("unreachable")
    }),
    ("trap-in-realloc", Unloaded, || reallocating("unreachable")),
    ("trap-in-realloc-later", In("on-delta", "trap"), || {
        reallocating("(if (global.get $real) (then unreachable)) i32.const 8192")
    }),
    ("trap-after-on-delta", In("on-delta", "trap"), || {
        let body = "(if (global.get $real) (then unreachable))";
        after("[method]passage.on-delta", body)
    }),
    // The host is in the middle of something.
    ("host-call-in-realloc", In("on-delta", "misuse"), || {
        reallocating("(if (global.get $real) (then (drop (call $size)))) i32.const 8192")
    }),
    ("host-call-after-on-delta", In("on-delta", "misuse"), || {
        let body = "(if (global.get $real) (then (drop (call $size))))";
        after("[method]passage.on-delta", body)
    }),
    // A realloc that lies.
    ("realloc-out-of-bounds", Unloaded, || {
        let addresses = ["0xfffffff0", "262143", "0x7fffffff"];
        let all = addresses.map(|address| reallocating(&format!("i32.const {address}")));
        all.into_iter().flatten().collect()
    }),
    (
        "realloc-at-an-odd-address",
        In("on-request", "output"),
        || {
            let mut forged = segments("i32.const 2048");
            forged.realloc = "(i32.add (i32.const 8192) (global.get $real))".into();
            vec![forged]
        },
    ),
    ("realloc-at-the-same-address", Well, || {
        reallocating("i32.const 0")
    }),
    // Where what it hands back lies.
    ("string-out-of-bounds", In("on-delta", "output"), || {
        let places = [(262_140, 8), (u32::MAX, 1), (0, 262_145), (16, u32::MAX)];
        let editing = |(at, length)| editing(returning(EDIT, &[3, at, length]));
        places.into_iter().map(editing).collect()
    }),
    ("result-out-of-bounds", In("on-delta", "output"), || {
        let editing = |at| editing(format!("i32.const {at}"));
        [262_140, -4].into_iter().map(editing).collect()
    }),
    ("result-at-an-odd-address", In("on-delta", "output"), || {
        vec![editing("i32.const 1281".into())]
    }),
    ("denial-out-of-bounds", In("on-request", "output"), || {
        let code = [1, u32::MAX - 8, 64, 64, 2];
        let message = [1, 64, 2, u32::MAX - 8, 64];
        let judging = |words: [u32; 5]| judging(returning(VERDICT, &words));
        [code, message].into_iter().map(judging).collect()
    }),
    (
        "denial-of-an-edit-out-of-bounds",
        In("on-delta", "output"),
        || vec![editing(returning(EDIT, &[4, 64, 2, u32::MAX - 8, 64]))],
    ),
    ("response-out-of-bounds", In("on-request", "output"), || {
        let list = returning(VERDICT, &[2, 262_136, 1]);
        // One delta of content, whose text is nowhere.
        let text = returning(2048, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, u32::MAX - 64, 64]);
        let text = format!("(drop {text}) {}", returning(VERDICT, &[2, 2048, 1]));
        [list, text].into_iter().map(judging).collect()
    }),
    ("description-out-of-bounds", Unloaded, || {
        describing(&returning(DESCRIPTION, &[u32::MAX, 64, 72, 5, 0, 0, 0]))
    }),
    ("schema-out-of-bounds", Unloaded, || {
        describing(&returning(DESCRIPTION, &[64, 6, 72, 5, 1, 262_140, 64]))
    }),
    ("refusal-out-of-bounds", Unloaded, || {
        configuring(returning(CONFIGURED, &[1, u32::MAX, 64]))
    }),
    // What isn't UTF-8. At 2048 are four bytes that never are.
    ("invalid-utf8-in-an-edit", In("on-delta", "output"), || {
        vec![editing(garbled(returning(EDIT, &[3, 2048, 4])))]
    }),
    (
        "invalid-utf8-in-a-denial",
        In("on-request", "output"),
        || {
            let code = returning(VERDICT, &[1, 2048, 4, 64, 2]);
            let message = returning(VERDICT, &[1, 64, 2, 2048, 4]);
            let judging = |body| judging(garbled(body));
            [code, message].into_iter().map(judging).collect()
        },
    ),
    ("invalid-utf8-in-a-description", Unloaded, || {
        describing(&garbled(returning(DESCRIPTION, &[2048, 4, 72, 5, 0, 0, 0])))
    }),
    ("invalid-utf8-in-a-refusal", Unloaded, || {
        configuring(garbled(returning(CONFIGURED, &[1, 2048, 4])))
    }),
    ("invalid-utf8-to-the-host", In("on-delta", "output"), || {
        telling("(i32.const 2048) (i32.const 4)")
    }),
    (
        "out-of-bounds-to-the-host",
        In("on-delta", "output"),
        || {
            let mut all = telling("(i32.const 262140) (i32.const 64)");
            all.extend(telling("(i32.const -1) (i32.const -1)"));
            all
        },
    ),
    (
        "answer-of-the-host-out-of-bounds",
        In("on-delta", "output"),
        || {
            let asking = |at| {
                let args = format!("(i32.const {at})");
                calling("request", "id", "(param i32)", &args)
            };
            [262_140, -4, 2049].into_iter().map(asking).collect()
        },
    ),
    // Lists longer than all memory, or that say so little per element that the host's copy is the cost.
    ("huge-lists", In("on-request", "output"), || {
        let judging = |length| judging(returning(VERDICT, &[2, 0, length]));
        [u32::MAX, 0x1000_0000, 8_000]
            .into_iter()
            .map(judging)
            .collect()
    }),
    ("huge-lists-to-the-host", In("on-delta", "output"), || {
        let restricting = |length| {
            let args = format!("(i32.const 0) (i32.const {length}) (i32.const 3072)");
            calling("request", "restrict-targets", "(param i32 i32 i32) ", &args)
        };
        [-1, 0x1000_0000].into_iter().map(restricting).collect()
    }),
    ("long-name", Unloaded, || {
        describing(&returning(DESCRIPTION, &[16_384, 100_000, 72, 5, 0, 0, 0]))
    }),
    ("name-with-a-line-break", Unloaded, || {
        let store = "(i32.store (i32.const 2048) (i32.const 0x0a610a61)) ".to_owned();
        describing(&(store + &returning(DESCRIPTION, &[2048, 4, 72, 5, 0, 0, 0])))
    }),
    // Values of a type that has no such value.
    ("edit-that-is-none", In("on-delta", "output"), || {
        vec![editing(returning(EDIT, &[9]))]
    }),
    ("verdict-that-is-none", In("on-request", "output"), || {
        vec![judging(returning(VERDICT, &[3]))]
    }),
    ("channel-that-is-none", In("on-request", "output"), || {
        let delta = returning(2048, &[0, 9, 0, 0, 0, 0, 0, 64, 2]);
        let body = format!("(drop {delta}) {}", returning(VERDICT, &[2, 2048, 1]));
        vec![judging(body)]
    }),
    ("level-that-is-none", In("on-delta", "output"), || {
        let args = "(i32.const 9) (i32.const 64) (i32.const 2)";
        vec![calling("host", "log", "(param i32 i32 i32)", args)]
    }),
    ("hooks-that-are-none", Well, || {
        configuring(returning(CONFIGURED, &[0, 0xff]))
    }),
    // Handles that it never had, gave away, or dropped.
    ("forged-exchange", In("constructor", "output"), || {
        vec![Forged {
            constructor: "i32.const 99".into(),
            ..Forged::default()
        }]
    }),
    ("forged-passage", In("on-answer", "output"), || {
        vec![opening(returning(OPENED, &[1, 77]))]
    }),
    ("passage-given-twice", In("on-answer", "output"), || {
        vec![opening(format!(
            "(if (i32.eqz (global.get $state)) (then (global.set $state (call $new-passage (i32.const 1)))))
             {}", giving("(global.get $state)")
        ))]
    }),
    (
        "passage-dropped-and-given",
        In("on-answer", "output"),
        || {
            vec![dropping(
                "(call $drop (global.get $state))",
                "(global.get $state)",
            )]
        },
    ),
    ("passage-dropped-twice", In("on-answer", "output"), || {
        let twice = "(call $drop (global.get $state)) (call $drop (global.get $state))";
        vec![dropping(twice, "(call $new-passage (i32.const 1))")]
    }),
    (
        "exchange-given-as-a-passage",
        In("on-answer", "output"),
        || vec![opening(giving("(call $new-exchange (i32.const 1))"))],
    ),
    ("passages-kept", Well, || {
        let again = "(drop (call $new-passage (i32.const 1))) ".repeat(100);
        vec![opening(
            again + &giving("(call $new-passage (i32.const 1))"),
        )]
    }),
    // More tables than one, and longer ones.
    ("table-that-grows", In("on-delta", "memory"), || {
        tables("(drop (table.grow $grown (ref.null func) (i32.const 1001)))")
    }),
    (
        "table-that-grows-in-steps",
        In("on-delta", "memory"),
        || {
            tables(
                "(loop $again (drop (table.grow $grown (ref.null func) (i32.const 1))) (br $again))",
            )
        },
    ),
    // A granted journal isn't one to fill a disk with, nor to put anything into.
    ("journal-in-configure", Unloaded, || {
        let append = journaling("(i32.const 64) (i32.const 2)");
        vec![Forged {
            configure: format!("{append} (i32.const {CONFIGURED})"),
            ..Forged {
                imports: APPEND.into(),
                world: ALL_GRANTS,
                ..Forged::default()
            }
        }]
    }),
    ("flood-of-journal-entries", Well, || {
        completing(&format!(
            "(global.set $state (i32.const 1000))
             (loop $again {}
               (global.set $state (i32.sub (global.get $state) (i32.const 1)))
               (br_if $again (global.get $state)))",
            journaling("(i32.const 2048) (i32.const 2)")
        ))
    }),
    ("odd-journal-entries", Well, || {
        let no_json = journaling("(i32.const 64) (i32.const 6)");
        let long = journaling("(i32.const 8192) (i32.const 2097152)");
        let deep = format!(
            "(memory.fill (i32.const 8192) (i32.const 0x5b) (i32.const 900000)) {}",
            journaling("(i32.const 8192) (i32.const 900000)")
        );
        [no_json, long, deep]
            .iter()
            .flat_map(|body| completing(body))
            .collect()
    }),
];
