//! What the converter refuses: where, by which clause, and what to write instead.

use std::fmt;

use crate::classfile::ClassFileError;

/// One reason why a package cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct ConvertError {
    /// The source file, or the class file's name where that is unknown.
    pub file: String,
    /// The line in it, where the class file has line numbers.
    pub line: Option<u16>,
    /// Class, or class and member, as `ipae.applet.IpaApplet.process(Ljavacard/framework/APDU;)V`.
    pub place: String,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if !self.place.is_empty() {
            write!(f, "in {}: ", self.place)?;
        }
        write!(f, "{}", self.problem)
    }
}

/// What is wrong at a [`ConvertError`]'s place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// The input is no class file.
    #[error("not a readable class file: {0}")]
    ClassFile(String),
    /// Something that the Java Card language or virtual machine doesn't have.
    #[error("{what} is not supported (JCVM {clause}); {instead}")]
    Unsupported {
        /// The construct, as `long arithmetic`.
        what: String,
        /// The clause of the Java Card 3.0.4 virtual machine specification.
        clause: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// An `int` intermediate that a short cannot hold reaches an operation that needs all of it.
    #[error(
        "{operation} needs a value that may lie between {low} and {high}, beyond a short (JCVM \
         2.2.3.1); narrow it with a (short) cast before, where that is what you mean"
    )]
    Overflow {
        /// The operation, as `the array index`.
        operation: &'static str,
        /// Least possible value.
        low: i64,
        /// Greatest possible value.
        high: i64,
    },
    /// A name that neither the package nor an import has.
    #[error("{what} is not known; {instead}")]
    Unknown {
        /// The class or member.
        what: String,
        /// What to do about it.
        instead: &'static str,
    },
    /// More of something than a CAP file can hold.
    #[error("{what}: {value}, and at most {limit} fit in a CAP file (JCVM {clause})")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How much there is.
        value: usize,
        /// How much may be.
        limit: usize,
        /// The clause that says so.
        clause: &'static str,
    },
    /// The package as a whole is asked for wrongly.
    #[error("{0}")]
    Input(String),
}

impl From<ClassFileError> for Problem {
    fn from(error: ClassFileError) -> Self {
        Problem::ClassFile(error.to_string())
    }
}

/// The restrictions that are met at more than one place, as `(clause, what to write instead)`.
pub(crate) mod rule {
    /// 2.2.3.1, the optional integer data type.
    pub const INT: (&str, &str) = (
        "2.2.3.1",
        "use short, and two shorts where 16 bits are not enough, or convert with --int if the card \
         has int",
    );
    /// 2.2.1.3, unsupported types.
    pub const TYPE: (&str, &str) = ("2.2.1.3", "use byte, short or boolean");
    /// 2.2.1.3, arrays of more than one dimension.
    pub const DIMENSIONS: (&str, &str) = (
        "2.2.1.3",
        "use one array and compute the index, or an Object[] of arrays",
    );
    /// 2.2.1.4, classes that the platform doesn't have.
    pub const STRING: (&str, &str) = (
        "2.2.1.4",
        "use a static final byte[] with the characters' codes",
    );
    /// 2.2.1.1, dynamic features.
    pub const DYNAMIC: (&str, &str) = ("2.2.1.1", "write a named class with a method and call it");
    /// 2.2.1.4, wrapper classes.
    pub const BOXING: (&str, &str) = (
        "2.2.1.4",
        "declare the variable or parameter with the primitive type",
    );
    /// 2.2.1.1, what needs closing.
    pub const RESOURCES: (&str, &str) = (
        "2.2.1.1",
        "use try and finally, and call the method in the finally block",
    );
    /// 2.2.1.1, classes as objects.
    pub const REFLECTION: (&str, &str) = (
        "2.2.1.1",
        "use instanceof, or a field that tells the kinds apart",
    );
    /// 2.2.1.1, cloning.
    pub const CLONE: (&str, &str) = (
        "2.2.1.1",
        "make the copy by hand; arrays with javacard.framework.Util.arrayCopy",
    );
    /// 2.2.1.1, finalization.
    pub const FINALIZER: (&str, &str) = (
        "2.2.1.1",
        "release what the object holds in a method that is called, as Applet.deselect()",
    );
    /// 2.2.1.4, collections.
    pub const COLLECTION: (&str, &str) = (
        "2.2.1.4",
        "use an array that is allocated at installation, and a counter",
    );
    /// 2.2.1.1, variable argument lists.
    pub const VARARGS: (&str, &str) = (
        "2.2.1.1",
        "take an array: every call with a list would allocate one",
    );
    /// 2.2.1.1, access control: private means the class alone, as up to Java 10.
    pub const NEST: (&str, &str) = (
        "2.2.1.1",
        "leave the word private out, or compile with `javac --release 8`, which makes accessors",
    );
    /// 2.2.1.2, keywords.
    pub const THREADS: (&str, &str) = ("2.2.1.2", "do without: a card runs one thread only");
    /// 2.2.1.1, assertions.
    pub const ASSERT: (&str, &str) = (
        "2.2.1.1",
        "throw an ISOException where the condition doesn't hold",
    );
    /// 2.2.4.6, class initialization.
    pub const CLINIT: (&str, &str) = (
        "2.2.4.6",
        "initialise static fields with compile-time constants or with arrays of them, and do the \
         rest in install()",
    );
    /// 2.2.1.1, language additions of Java 5 and later.
    pub const LANGUAGE: (&str, &str) = (
        "2.2.1.1",
        "write it with classes, interfaces and static final constants",
    );
}

/// Where errors of one class or method are put.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors {
    list: Vec<ConvertError>,
    file: String,
    place: String,
}

impl Errors {
    /// Later errors are about this class or member.
    pub(crate) fn at(&mut self, file: &str, place: String) {
        self.file = file.to_owned();
        self.place = place;
    }

    pub(crate) fn push(&mut self, line: Option<u16>, problem: Problem) {
        let error = ConvertError {
            file: self.file.clone(),
            line,
            place: self.place.clone(),
            problem,
        };
        if !self.list.contains(&error) {
            self.list.push(error);
        }
    }

    pub(crate) fn unsupported(
        &mut self,
        line: Option<u16>,
        what: impl Into<String>,
        (clause, instead): (&'static str, &'static str),
    ) {
        self.push(
            line,
            Problem::Unsupported {
                what: what.into(),
                clause,
                instead,
            },
        );
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All errors, by file and line.
    pub(crate) fn finish(mut self) -> Vec<ConvertError> {
        self.list.sort();
        self.list
    }

    /// `Ok` when nothing was wrong so far.
    pub(crate) fn check(&mut self) -> Result<(), Vec<ConvertError>> {
        if self.is_empty() {
            return Ok(());
        }
        Err(std::mem::take(self).finish())
    }
}
