//! Folding one character.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::{hidden, lookalikes};

/// Folds `c`, which may become several characters, or none.
pub(crate) fn fold_char(c: char, each: &mut impl FnMut(char)) {
    // Most of the world's text, for which the tables have nothing.
    if matches!(c, 'а'..='и' | 'к'..='я' | '一'..='鿿' | 'ぁ'..='お') {
        return each(c);
    }
    if let Some(c) = punctuation(c).or_else(|| lookalikes::always(c)) {
        return each(c);
    }
    decompose_compatible(c, |c| {
        if is_combining_mark(c) {
            return;
        }
        for c in c.to_lowercase().filter(|c| !is_combining_mark(*c)) {
            each(
                lookalikes::always(c)
                    .or_else(|| punctuation(c))
                    .unwrap_or(c),
            );
        }
    });
}

/// Folds `text` character by character, without repairing words.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !hidden::is_ignorable(*c)) {
        fold_char(c, &mut |c| out.push(c));
    }
    out
}

fn punctuation(c: char) -> Option<char> {
    Some(match c {
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '〝' | '〞' => {
            '"'
        }
        '‘' | '’' | '‚' | '‛' | 'ʼ' | 'ʻ' | 'ʹ' | '′' => '\'',
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => '-',
        '，' | '、' => ',',
        '⟨' | '〈' => '<',
        '⟩' | '〉' => '>',
        '∣' | '｜' | 'ǀ' => '|',
        _ => return None,
    })
}
