//! The types of the static shape tables that `xtask codegen` writes. Never holds a table itself.

/// A service: how it is addressed, what it can do, and every shape that its operations reach.
#[derive(Debug)]
pub struct ServiceModel {
    /// Landfall's name of the service, which is its module's, such as `events`.
    pub name: &'static str,
    /// The protocol of the service; SQS ([`Self::query_compatible`]) speaks Query beside it.
    pub protocol: Protocol,
    /// `1.0` or `1.1` for JSON services, empty for others.
    pub json_version: &'static str,
    /// What stands before the dot in `X-Amz-Target`; empty for Query services.
    pub target_prefix: &'static str,
    /// Such as `2015-10-07`; Query requests state it as `Version`.
    pub api_version: &'static str,
    /// The service in the credential scope of a signature.
    pub signing_name: &'static str,
    /// The first label of AWS's host names.
    pub endpoint_prefix: &'static str,
    /// Namespace of XML answers; empty for JSON services.
    pub xml_namespace: &'static str,
    /// Whether a JSON service answers errors with the codes of its former Query protocol too.
    pub query_compatible: bool,
    /// The served operations, sorted by name.
    pub operations: &'static [OperationModel],
    /// Every shape; [`ShapeId`] is the index.
    pub shapes: &'static [Shape],
    /// The modelled errors, sorted by name.
    pub errors: &'static [ErrorModel],
}

/// How requests and answers are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0 or 1.1.
    Json,
    /// Form in, XML out.
    Query,
    /// EC2's dialect of Query.
    Ec2,
}

/// Index of a shape in [`ServiceModel::shapes`].
pub type ShapeId = usize;

/// One operation.
#[derive(Debug)]
pub struct OperationModel {
    /// Such as `PutRule`.
    pub name: &'static str,
    /// Shape of the input, always a structure.
    pub input: Option<ShapeId>,
    /// Shape of the output, always a structure.
    pub output: Option<ShapeId>,
    /// Element around the members of a Query answer; empty when there is no output.
    pub result_wrapper: &'static str,
}

/// A named shape.
#[derive(Debug)]
pub struct Shape {
    /// The model's name.
    pub name: &'static str,
    /// What it is made of.
    pub kind: Kind,
}

/// The form of a shape with its constraints. Lengths count characters, items, entries or bytes.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure {
        /// In the order of the model.
        members: &'static [Member],
    },
    /// Items of one shape.
    List {
        /// Shape of the items.
        item: ShapeId,
        /// Element or form key of an item.
        item_name: &'static str,
        /// Items stand in their parent without an element around them.
        flattened: bool,
        /// Fewest items.
        min: Option<i64>,
        /// Most items.
        max: Option<i64>,
    },
    /// Text keys to values of one shape.
    Map {
        /// Shape of the keys.
        key: ShapeId,
        /// Shape of the values.
        value: ShapeId,
        /// Element or form key of a key.
        key_name: &'static str,
        /// Element or form key of a value.
        value_name: &'static str,
        /// Entries stand in their parent without an element around them.
        flattened: bool,
        /// Fewest entries.
        min: Option<i64>,
        /// Most entries.
        max: Option<i64>,
    },
    /// Text.
    String {
        /// Shortest, in characters.
        min: Option<i64>,
        /// Longest, in characters.
        max: Option<i64>,
        /// Regular expression for the whole text; empty for none.
        pattern: &'static str,
        /// The allowed values of an enumeration; empty for free text.
        values: &'static [&'static str],
    },
    /// 32-bit integer.
    Integer {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// 64-bit integer.
    Long {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// Floating point.
    Double,
    /// True or false.
    Boolean,
    /// Point in time.
    Timestamp,
    /// Bytes.
    Blob {
        /// Fewest bytes.
        min: Option<i64>,
        /// Most bytes.
        max: Option<i64>,
    },
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Key in JSON and in the value form.
    pub name: &'static str,
    /// Key in a form.
    pub query: &'static str,
    /// Element in an XML answer.
    pub xml: &'static str,
    /// Whether a request must carry it.
    pub required: bool,
    /// Whether this use of a list or map is flattened, whatever its shape says.
    pub flattened: bool,
    /// Its shape.
    pub shape: ShapeId,
}

/// A modelled error.
#[derive(Debug)]
pub struct ErrorModel {
    /// Name of its shape, which is its code in JSON.
    pub name: &'static str,
    /// Its code in the Query protocol.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
}

impl ServiceModel {
    /// The operation of that name, when it is served.
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        let at = self
            .operations
            .binary_search_by(|operation| operation.name.cmp(name))
            .ok()?;
        self.operations.get(at)
    }

    /// The kind of a shape; `None` only for an id of another service.
    pub fn kind(&self, id: ShapeId) -> Option<&'static Kind> {
        self.shapes.get(id).map(|shape| &shape.kind)
    }

    /// The modelled error whose shape name or Query code is `code`.
    pub fn error(&self, code: &str) -> Option<&'static ErrorModel> {
        self.errors
            .iter()
            .find(|error| error.name == code || error.code == code)
    }
}
