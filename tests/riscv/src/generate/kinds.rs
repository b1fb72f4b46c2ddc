//! The kinds of things that compilers put into ELF files now and then.

/// A kind of thing that a program can have besides plain code and data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Weak symbols that are nowhere, used behind a check for null.
    WeakUndefined,
    /// Variables that only the symbol table has.
    Common,
    /// Functions that a resolver chooses.
    Ifunc,
    /// `.preinit_array` and `.init_array`, with and without priorities.
    Constructors,
    /// The older `.ctors`.
    OldConstructors,
    /// Sections of all names, flags and alignments.
    Sections,
    /// Symbols of all types, bindings and visibilities.
    Symbols,
    /// Distances between places of one section, as numbers.
    Differences,
    /// The same as LEB128.
    Uleb128,
    /// Data that holds the distance from itself to other data, or a 32-bit address.
    RelativeData,
    /// The same for functions.
    RelativeFunctions,
    /// Jumps by tables of labels' addresses.
    LabelPointers,
    /// Jumps by tables of distances between labels.
    LabelDifferences,
    /// The same where the assembler has computed the distances, so that no relocation is left.
    QuietDifferences,
    /// `ebreak` and `c.ebreak`.
    Ebreak,
    /// Calls and returns through other registers than `ra`.
    LinkRegisters,
    /// Calls on another stack, and coroutines.
    StackSwitch,
    /// Functions that return a second time.
    Setjmp,
    /// Functions that go on in others, or in labels whose address is taken.
    FallThrough,
    /// Records for the linker in sections that are not loaded.
    Records,
}

impl Kind {
    /// All of them with their names.
    pub const ALL: [(Kind, &str); 20] = [
        (Kind::WeakUndefined, "weak-undefined"),
        (Kind::Common, "common"),
        (Kind::Ifunc, "ifunc"),
        (Kind::Constructors, "constructors"),
        (Kind::OldConstructors, "old-constructors"),
        (Kind::Sections, "sections"),
        (Kind::Symbols, "symbols"),
        (Kind::Differences, "differences"),
        (Kind::Uleb128, "uleb128"),
        (Kind::RelativeData, "relative-data"),
        (Kind::RelativeFunctions, "relative-functions"),
        (Kind::LabelPointers, "label-pointers"),
        (Kind::LabelDifferences, "label-differences"),
        (Kind::QuietDifferences, "quiet-differences"),
        (Kind::Ebreak, "ebreak"),
        (Kind::LinkRegisters, "link-registers"),
        (Kind::StackSwitch, "stack-switch"),
        (Kind::Setjmp, "setjmp"),
        (Kind::FallThrough, "fall-through"),
        (Kind::Records, "records"),
    ];
}
