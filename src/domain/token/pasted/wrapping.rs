//! The kinds of things around and in a pasted token, by their names in `cleaned` of the record.

use serde::Serialize;

/// Something that was removed around or in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapping {
    /// A member of a JSON object.
    Json,
    /// The name of an `Authorization` header, and the text before it.
    Header,
    /// A URL with the token in its query or fragment.
    Url,
    /// `NAME=` of a variable.
    Assignment,
    /// `Bearer`.
    Bearer,
    /// Quotes, brackets or punctuation around the token.
    Quotes,
    /// `%20` and the like.
    PercentEncoding,
    /// Other words in the text.
    Words,
    /// Line breaks and spaces in the token.
    WhiteSpace,
    /// Characters without width, such as a byte order mark.
    InvisibleCharacters,
    /// `NAME:`, or `NAME` and spaces.
    Label,
    /// A `Cookie` or `Set-Cookie` header.
    Cookie,
    /// `\n`, `\u002e` and the like.
    Escapes,
    /// `&quot;` and the like, or elements of HTML.
    Html,
    /// `=3D` and the like, of mails.
    QuotedPrintable,
    /// Colours and other control sequences of a terminal.
    Colours,
    /// Base64 around the token.
    Base64,
}
