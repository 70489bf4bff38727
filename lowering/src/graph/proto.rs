//! The protobuf form of a graph, `proto/graph.proto`, written by hand so that no compiler of
//! protocol files is needed. Spans and what is pending are not in it.

use super::parse::dim;
use super::text::KINDS;
use super::verify::VerifyError;
use super::{Entry, Graph, Node, Op, Scan, Type, Value, Var, Variable};
use prost::Message;
use std::fmt;
use std::sync::Arc;
use tfm_lang::device::Device;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Literal};
use tfm_lang::types::DType;

/// Why bytes are not a graph.
#[derive(Clone, PartialEq, Debug)]
pub enum ProtoError {
    /// They are no such message.
    Decode(prost::DecodeError),
    /// A part of the message is missing or makes no sense.
    Content(String),
    /// The graph breaks an invariant.
    Invariant(VerifyError),
}

impl fmt::Display for ProtoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtoError::Decode(e) => write!(f, "the bytes are not a graph: {e}"),
            ProtoError::Content(e) => write!(f, "the graph cannot be read: {e}"),
            ProtoError::Invariant(e) => write!(f, "the graph is broken: {e}"),
        }
    }
}

impl std::error::Error for ProtoError {}

#[derive(Clone, PartialEq, Message)]
struct GraphMessage {
    #[prost(message, repeated, tag = "1")]
    variables: Vec<VariableMessage>,
    #[prost(message, repeated, tag = "2")]
    nodes: Vec<NodeMessage>,
    #[prost(message, repeated, tag = "3")]
    entries: Vec<EntryMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeMessage {
    #[prost(string, tag = "1")]
    dtype: String,
    #[prost(string, repeated, tag = "2")]
    shape: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct VariableMessage {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(message, optional, tag = "3")]
    ty: Option<TypeMessage>,
    #[prost(string, tag = "4")]
    device: String,
}

#[derive(Clone, PartialEq, Message)]
struct NodeMessage {
    #[prost(oneof = "OpMessage", tags = "1, 2, 3, 4, 9, 10, 11")]
    op: Option<OpMessage>,
    #[prost(uint32, repeated, tag = "5")]
    args: Vec<u32>,
    #[prost(message, optional, tag = "6")]
    ty: Option<TypeMessage>,
    #[prost(string, tag = "7")]
    scope: String,
    #[prost(string, tag = "8")]
    device: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum OpMessage {
    #[prost(string, tag = "1")]
    Input(String),
    #[prost(message, tag = "2")]
    Constant(LiteralMessage),
    #[prost(uint32, tag = "3")]
    Read(u32),
    #[prost(message, tag = "4")]
    Primitive(PrimitiveMessage),
    #[prost(message, tag = "9")]
    Scan(ScanMessage),
    #[prost(uint32, tag = "10")]
    Result(u32),
    #[prost(uint32, tag = "11")]
    Gradient(u32),
}

#[derive(Clone, PartialEq, Message)]
struct ScanMessage {
    #[prost(string, tag = "1")]
    length: String,
    #[prost(bool, tag = "2")]
    reverse: bool,
    #[prost(bool, repeated, tag = "3")]
    walked: Vec<bool>,
    #[prost(message, optional, tag = "4")]
    turn: Option<GraphMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct LiteralMessage {
    #[prost(oneof = "LiteralValue", tags = "1, 2, 3, 4")]
    value: Option<LiteralValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum LiteralValue {
    #[prost(double, tag = "1")]
    Number(f64),
    #[prost(message, tag = "2")]
    Numbers(NumbersMessage),
    #[prost(string, tag = "3")]
    Size(String),
    #[prost(bool, tag = "4")]
    Truth(bool),
}

#[derive(Clone, PartialEq, Message)]
struct NumbersMessage {
    #[prost(double, repeated, tag = "1")]
    values: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct PrimitiveMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    attributes: Vec<AttributeMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(oneof = "AttributeValue", tags = "2, 3, 4, 5, 6, 7")]
    value: Option<AttributeValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum AttributeValue {
    #[prost(string, tag = "2")]
    Size(String),
    #[prost(message, tag = "3")]
    Sizes(SizesMessage),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(bool, tag = "5")]
    Truth(bool),
    #[prost(string, tag = "6")]
    DType(String),
    #[prost(string, tag = "7")]
    Text(String),
}

#[derive(Clone, PartialEq, Message)]
struct SizesMessage {
    #[prost(string, repeated, tag = "1")]
    sizes: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    outputs: Vec<OutputMessage>,
    #[prost(message, repeated, tag = "3")]
    assigns: Vec<AssignMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct OutputMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    value: u32,
}

#[derive(Clone, PartialEq, Message)]
struct AssignMessage {
    #[prost(uint32, tag = "1")]
    variable: u32,
    #[prost(uint32, tag = "2")]
    value: u32,
}

impl Graph {
    /// The graph as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode_graph(self).encode_to_vec()
    }

    /// The graph that [`Graph::to_bytes`] wrote; every invariant has been checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Graph, ProtoError> {
        let message = GraphMessage::decode(bytes).map_err(ProtoError::Decode)?;
        let graph = decode_graph(message).map_err(ProtoError::Content)?;
        graph.verify("decoding").map_err(ProtoError::Invariant)?;
        Ok(graph)
    }
}

fn encode_graph(graph: &Graph) -> GraphMessage {
    GraphMessage {
        variables: graph.variables.iter().map(encode_variable).collect(),
        nodes: graph.nodes.iter().map(encode_node).collect(),
        entries: graph.entries.iter().map(encode_entry).collect(),
    }
}

fn texts(dims: &[Dim]) -> Vec<String> {
    dims.iter().map(Dim::to_string).collect()
}

fn encode_type(ty: &Type) -> Option<TypeMessage> {
    Some(TypeMessage { dtype: ty.dtype.name().into(), shape: texts(&ty.shape) })
}

/// A hint as text; empty where there is none.
fn device_out(device: &Option<Arc<Device>>) -> String {
    device.as_ref().map_or(String::new(), |d| d.to_string())
}

fn device_in(text: &str) -> Result<Option<Arc<Device>>, String> {
    if text.is_empty() { Ok(None) } else { text.parse().map(|d| Some(Arc::new(d))) }
}

fn encode_variable(v: &Variable) -> VariableMessage {
    let kind = KINDS.iter().find(|(k, _)| *k == v.kind).map_or("", |(_, n)| n);
    VariableMessage { path: v.path.clone(), kind: kind.into(), ty: encode_type(&v.ty), device: device_out(&v.device) }
}

fn encode_node(node: &Node) -> NodeMessage {
    let op = match &node.op {
        Op::Input(name) => OpMessage::Input(name.to_string()),
        Op::Read(var) => OpMessage::Read(var.0),
        Op::Constant(literal) => OpMessage::Constant(LiteralMessage {
            value: Some(match literal {
                Literal::Number(x) => LiteralValue::Number(*x),
                Literal::Numbers(xs) => LiteralValue::Numbers(NumbersMessage { values: xs.clone() }),
                Literal::Dim(d) => LiteralValue::Size(d.to_string()),
                Literal::Bool(b) => LiteralValue::Truth(*b),
            }),
        }),
        Op::Primitive(name, attrs) => OpMessage::Primitive(PrimitiveMessage {
            name: name.to_string(),
            attributes: attrs.iter().map(|(name, attr)| encode_attr(name, attr)).collect(),
        }),
        Op::Scan(scan) => OpMessage::Scan(ScanMessage {
            length: scan.length.to_string(),
            reverse: scan.reverse,
            walked: scan.walked.clone(),
            turn: Some(encode_graph(&scan.turn)),
        }),
        Op::Result(k) => OpMessage::Result(*k),
        Op::Gradient(k) => OpMessage::Gradient(*k),
    };
    NodeMessage {
        op: Some(op),
        args: node.args.iter().map(|a| a.0).collect(),
        ty: encode_type(&node.ty),
        scope: node.scope.to_string(),
        device: device_out(&node.device),
    }
}

fn encode_attr(name: &str, attr: &Attr) -> AttributeMessage {
    let value = match attr {
        Attr::Int(d) => AttributeValue::Size(d.to_string()),
        Attr::Ints(ds) => AttributeValue::Sizes(SizesMessage { sizes: texts(ds) }),
        Attr::Float(x) => AttributeValue::Number(*x),
        Attr::Bool(b) => AttributeValue::Truth(*b),
        Attr::DType(d) => AttributeValue::DType(d.name().into()),
        Attr::Str(s) => AttributeValue::Text(s.clone()),
    };
    AttributeMessage { name: name.into(), value: Some(value) }
}

fn encode_entry(entry: &Entry) -> EntryMessage {
    let outputs = entry.outputs.iter().map(|(name, v)| OutputMessage { name: name.clone(), value: v.0 });
    let assigns = entry.assigns.iter().map(|(var, v)| AssignMessage { variable: var.0, value: v.0 });
    EntryMessage { name: entry.name.clone(), outputs: outputs.collect(), assigns: assigns.collect() }
}

fn decode_graph(message: GraphMessage) -> Result<Graph, String> {
    Ok(Graph {
        variables: message.variables.into_iter().map(decode_variable).collect::<Result<_, _>>()?,
        nodes: message.nodes.into_iter().map(decode_node).collect::<Result<_, _>>()?,
        entries: message.entries.into_iter().map(decode_entry).collect(),
        ..Graph::default()
    })
}

fn dtype(name: &str) -> Result<DType, String> {
    DType::from_name(name).ok_or_else(|| format!("`{name}` is not a dtype"))
}

fn dims(texts: &[String]) -> Result<Vec<Dim>, String> {
    texts.iter().map(|t| dim(t)).collect()
}

fn decode_type(ty: Option<TypeMessage>) -> Result<Type, String> {
    let ty = ty.ok_or("a type is missing")?;
    Ok(Type { dtype: dtype(&ty.dtype)?, shape: dims(&ty.shape)? })
}

fn decode_variable(v: VariableMessage) -> Result<Variable, String> {
    let kind = KINDS.iter().find(|(_, n)| *n == v.kind).map(|(k, _)| *k);
    let kind = kind.ok_or_else(|| format!("`{}` is not a kind of variable", v.kind))?;
    Ok(Variable { kind, ty: decode_type(v.ty)?, path: v.path, device: device_in(&v.device)? })
}

fn decode_node(node: NodeMessage) -> Result<Node, String> {
    let op = match node.op.ok_or("a node has no operation")? {
        OpMessage::Input(name) => Op::Input(name.into()),
        OpMessage::Read(var) => Op::Read(Var(var)),
        OpMessage::Constant(literal) => Op::Constant(match literal.value.ok_or("a literal has no value")? {
            LiteralValue::Number(x) => Literal::Number(x),
            LiteralValue::Numbers(xs) => Literal::Numbers(xs.values),
            LiteralValue::Size(d) => Literal::Dim(dim(&d)?),
            LiteralValue::Truth(b) => Literal::Bool(b),
        }),
        OpMessage::Primitive(p) => {
            let attrs = p.attributes.into_iter().map(decode_attr).collect::<Result<_, _>>()?;
            Op::Primitive(p.name.into(), attrs)
        }
        OpMessage::Scan(s) => {
            let turn = decode_graph(s.turn.ok_or("a scan has no turn")?)?;
            if turn.entries.len() != 1 {
                return Err("a turn has one entry".into());
            }
            Op::Scan(Arc::new(Scan { length: dim(&s.length)?, reverse: s.reverse, walked: s.walked, turn }))
        }
        OpMessage::Result(k) => Op::Result(k),
        OpMessage::Gradient(k) => Op::Gradient(k),
    };
    let args = node.args.into_iter().map(Value).collect();
    let device = device_in(&node.device)?;
    Ok(Node { op, args, ty: decode_type(node.ty)?, scope: node.scope.into(), span: None, device })
}

fn decode_attr(attr: AttributeMessage) -> Result<(tfm_lang::model::Word, Attr), String> {
    let value = match attr.value.ok_or("an attribute has no value")? {
        AttributeValue::Size(d) => Attr::Int(dim(&d)?),
        AttributeValue::Sizes(ds) => Attr::Ints(dims(&ds.sizes)?),
        AttributeValue::Number(x) => Attr::Float(x),
        AttributeValue::Truth(b) => Attr::Bool(b),
        AttributeValue::DType(d) => Attr::DType(dtype(&d)?),
        AttributeValue::Text(s) => Attr::Str(s),
    };
    Ok((attr.name.into(), value))
}

fn decode_entry(entry: EntryMessage) -> Entry {
    Entry {
        name: entry.name,
        outputs: entry.outputs.into_iter().map(|o| (o.name, Value(o.value))).collect(),
        assigns: entry.assigns.into_iter().map(|a| (Var(a.variable), Value(a.value))).collect(),
    }
}
