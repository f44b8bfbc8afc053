//! The sorts of nodes and edges, by V8's names for them.

/// What a node is. V8 numbers these differently from version to version, so they are resolved by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum NodeKind {
    /// V8's own machinery.
    Hidden,
    /// A backing store: array elements, property tables, hash tables.
    Array,
    /// A flat string.
    String,
    /// A JavaScript object.
    Object,
    /// Compiled code and what belongs to it.
    Code,
    /// A function.
    Closure,
    /// A regular expression.
    Regexp,
    /// A number kept in the heap.
    Number,
    /// Memory outside V8's heap, from C++.
    Native,
    /// A root, made up for the snapshot.
    Synthetic,
    /// A string of two halves, not yet joined.
    ConsString,
    /// A part of another string.
    SlicedString,
    /// A symbol.
    Symbol,
    /// A big integer.
    BigInt,
    /// A hidden class: map, descriptors, transitions.
    Shape,
    /// A WebAssembly object (until Node 20).
    Wasm,
    /// A type this version does not know.
    Other,
}

impl NodeKind {
    const ALL: [Self; 17] = [
        Self::Hidden,
        Self::Array,
        Self::String,
        Self::Object,
        Self::Code,
        Self::Closure,
        Self::Regexp,
        Self::Number,
        Self::Native,
        Self::Synthetic,
        Self::ConsString,
        Self::SlicedString,
        Self::Symbol,
        Self::BigInt,
        Self::Shape,
        Self::Wasm,
        Self::Other,
    ];

    /// The kind whose number (`as u8`) is `number`; [`NodeKind::Other`] where there is none.
    #[inline]
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Other)
    }

    /// The kind that V8 calls `name`; [`NodeKind::Other`] for a name that is not known.
    pub fn from_name(name: &str) -> Self {
        match name {
            "hidden" => Self::Hidden,
            "array" => Self::Array,
            "string" => Self::String,
            "object" => Self::Object,
            "code" => Self::Code,
            "closure" => Self::Closure,
            "regexp" => Self::Regexp,
            "number" => Self::Number,
            "native" => Self::Native,
            "synthetic" => Self::Synthetic,
            "concatenated string" => Self::ConsString,
            "sliced string" => Self::SlicedString,
            "symbol" => Self::Symbol,
            "bigint" => Self::BigInt,
            "object shape" => Self::Shape,
            "wasm object" => Self::Wasm,
            _ => Self::Other,
        }
    }

    /// V8's name for the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Array => "array",
            Self::String => "string",
            Self::Object => "object",
            Self::Code => "code",
            Self::Closure => "closure",
            Self::Regexp => "regexp",
            Self::Number => "number",
            Self::Native => "native",
            Self::Synthetic => "synthetic",
            Self::ConsString => "concatenated string",
            Self::SlicedString => "sliced string",
            Self::Symbol => "symbol",
            Self::BigInt => "bigint",
            Self::Shape => "object shape",
            Self::Wasm => "wasm object",
            Self::Other => "other",
        }
    }

    /// Whether this is text in one of its three forms.
    pub fn is_string(self) -> bool {
        matches!(self, Self::String | Self::ConsString | Self::SlicedString)
    }
}

/// Whether V8 calls what holds the constants of compiled code `name`, or the keys and values of a literal in it: on V8 11 and earlier that has
/// no name. Strings that such code refers to stand in the program's text. Feedback of calls has data in it, and is called otherwise.
pub fn holds_constants(name: &str) -> bool {
    matches!(name, "(constant pool)" | "system / ObjectBoilerplateDescription" | "")
}

/// What a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EdgeKind {
    /// A variable that a closure has captured.
    Context,
    /// An array element.
    Element,
    /// A property.
    Property,
    /// A field of V8's that JavaScript cannot read.
    Internal,
    /// An unnamed field of V8's.
    Hidden,
    /// A made-up short way, for people to read.
    Shortcut,
    /// A reference that keeps nothing alive.
    Weak,
    /// A type this version does not know.
    Other,
}

impl EdgeKind {
    /// The kind that V8 calls `name`; [`EdgeKind::Other`] for a name that is not known.
    pub fn from_name(name: &str) -> Self {
        match name {
            "context" => Self::Context,
            "element" => Self::Element,
            "property" => Self::Property,
            "internal" => Self::Internal,
            "hidden" => Self::Hidden,
            "shortcut" => Self::Shortcut,
            "weak" => Self::Weak,
            _ => Self::Other,
        }
    }

    /// Whether the edge's second field is a string index rather than an element's number.
    ///
    /// Of an unknown kind this cannot be known, and a number is the reading that cannot be wrong.
    pub fn is_named(self) -> bool {
        !matches!(self, Self::Element | Self::Hidden | Self::Other)
    }
}
