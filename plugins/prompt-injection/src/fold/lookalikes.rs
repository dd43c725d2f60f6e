//! Characters that are drawn like Latin letters.
//!
//! Two tables: letters that stand for a Latin letter wherever they are, and letters of other scripts that do so only in a
//! word that is otherwise Latin.

/// The Latin letter that `c` is a drawing of, in any word: small capitals, dotless and barred letters, letters in boxes.
pub(crate) fn always(c: char) -> Option<char> {
    Some(match c {
        'ı' | 'ɪ' | 'ɩ' | 'ɨ' => 'i',
        'ł' | 'ʟ' => 'l',
        'ø' | 'ᴏ' | 'ɵ' => 'o',
        'đ' | 'ᴅ' | 'ɗ' | 'ԁ' => 'd',
        'ħ' | 'ʜ' | 'ɦ' => 'h',
        'ŧ' | 'ᴛ' => 't',
        'ɑ' | 'ᴀ' => 'a',
        'ʙ' | 'ɓ' => 'b',
        'ᴄ' => 'c',
        'ᴇ' | 'ɛ' => 'e',
        'ꜰ' => 'f',
        'ɢ' | 'ɡ' => 'g',
        'ᴊ' => 'j',
        'ᴋ' => 'k',
        'ᴍ' | 'ɱ' => 'm',
        'ɴ' | 'ɲ' => 'n',
        'ᴘ' => 'p',
        'ʀ' | 'ɾ' => 'r',
        'ꜱ' | 'ʂ' => 's',
        'ᴜ' | 'ʋ' => 'u',
        'ᴠ' => 'v',
        'ᴡ' | 'ԝ' => 'w',
        'ʏ' => 'y',
        'ᴢ' => 'z',
        'ԛ' => 'q',
        _ => return boxed(c),
    })
}

/// Letters in discs and boxes that compatibility mappings leave out, and the letters flags are made of.
fn boxed(c: char) -> Option<char> {
    let n = c as u32;
    let first = match n {
        0x1F150..=0x1F169 => 0x1F150,
        0x1F170..=0x1F189 => 0x1F170,
        0x1F1E6..=0x1F1FF => 0x1F1E6,
        _ => return None,
    };
    u8::try_from(n - first).ok().map(|i| char::from(b'a' + i))
}

/// The Latin letter that `c`, a lower-case letter of another script, looks like.
pub(crate) fn foreign(c: char) -> Option<char> {
    Some(match c {
        'а' | 'α' => 'a',
        'в' | 'ь' | 'β' | 'Ꮟ' => 'b',
        'с' | 'ϲ' => 'c',
        'е' | 'ε' | 'ҽ' | 'є' => 'e',
        'ց' => 'g',
        'һ' | 'н' | 'հ' => 'h',
        'і' | 'ι' | 'ӏ' | 'ɩ' => 'i',
        'ј' | 'ϳ' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'п' | 'η' | 'ո' => 'n',
        'о' | 'ο' | 'σ' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'μ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ω' | 'ѡ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ү' => 'y',
        _ => return None,
    })
}

/// The letter that a digit or sign stands for in a word such as `pr0mpt`. `1` is `i` here; it may also be an `l`.
pub(crate) fn leet(b: u8) -> Option<u8> {
    Some(match b {
        b'0' => b'o',
        b'1' | b'!' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        b'8' => b'b',
        b'9' => b'g',
        _ => return None,
    })
}

/// The Latin letter that `c` stands for where it stands alone: a digit, a sign, a letter of another script.
pub(crate) fn letter(c: char) -> Option<char> {
    match u8::try_from(c) {
        Ok(b) => leet(b).map(char::from),
        Err(_) => foreign(c),
    }
}
