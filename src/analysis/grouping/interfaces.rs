//! Plain objects told apart by their properties: DevTools' `inferInterfaceDefinitions` and `applyInterfaceDefinitions`.
//!
//! The commonest lists of properties become interfaces, `{id, name}`; an object goes by the interface with most properties that it
//! has all of. Objects share their lists (see [`crate::graph::layout`]), so each list is matched once and not once an object.

use std::collections::{BTreeMap, HashMap};

use crate::error::Result;
use crate::graph::{EdgeKind, Graph, Node, NodeKind, filled};

/// An interface needs as many objects, at least, and as many thousandths of all plain objects.
const MIN_OBJECTS: u64 = 2;
const MIN_SHARE: f64 = 1000.0;

/// A longer name is cut between two properties; the first is always in it. In UTF-16 units, as JavaScript counts.
const LONGEST_NAME: usize = 120;

/// The interfaces of a snapshot, the commonest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interfaces {
    list: Vec<Interface>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    name: Box<str>,
    properties: Vec<Box<str>>,
}

/// Whether `node` is an object of no class.
fn is_plain(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object && graph.name(node) == "Object"
}

fn properties(graph: &Graph, node: Node) -> impl Iterator<Item = &str> + use<'_> {
    let edges = graph.named_edges(node).filter(|&(kind, _, _)| kind == EdgeKind::Property);
    edges.map(|(_, name, _)| graph.strings().get(name))
}

impl Interfaces {
    /// The interfaces that the plain objects of `graph` suggest.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn of(graph: &Graph) -> Result<Self> {
        const UNSEEN: u32 = u32::MAX;
        const NONE: u32 = u32::MAX - 1;
        let plain = Plain::of(graph);
        let mut by_layout = filled(UNSEEN, graph.layout_count())?;
        let mut by_name: HashMap<Box<str>, u32> = HashMap::new();
        let mut candidates: Vec<(Interface, u64)> = Vec::new();
        let mut total = 0u64;
        for node in graph.nodes().filter(|&node| plain.is(graph, node)) {
            total += 1;
            let mut infer = || match interface(properties(graph, node)) {
                None => NONE,
                Some(interface) => *by_name.entry(interface.name.clone()).or_insert_with(|| {
                    candidates.push((interface, 0));
                    candidates.len() as u32 - 1
                }),
            };
            let candidate = match graph.layout(node) {
                None => infer(),
                Some(layout) => {
                    if by_layout[layout as usize] == UNSEEN {
                        by_layout[layout as usize] = infer();
                    }
                    by_layout[layout as usize]
                }
            };
            if candidate != NONE {
                candidates[candidate as usize].1 += 1;
            }
        }
        // Stable: of two that are as common the one met first comes first.
        candidates.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let least = (total as f64 / MIN_SHARE).max(MIN_OBJECTS as f64);
        let common = candidates.into_iter().take_while(|&(_, count)| count as f64 >= least);
        Ok(Self { list: common.map(|(interface, _)| interface).collect() })
    }
}

/// The interface of an object with `properties`; `None` where it has none.
fn interface<'a>(properties: impl Iterator<Item = &'a str>) -> Option<Interface> {
    let mut name = String::from("{");
    let mut units = 1;
    let mut kept: Vec<Box<str>> = Vec::new();
    for property in properties.filter(|&property| property != "__proto__") {
        let formatted = formatted(property);
        let length = formatted.encode_utf16().count();
        if units > 1 && units + length > LONGEST_NAME {
            break;
        }
        if units > 1 {
            name += ", ";
            units += 2;
        }
        name += &formatted;
        units += length;
        kept.push(property.into());
    }
    name.push('}');
    (!kept.is_empty()).then(|| Interface { name: name.into(), properties: kept })
}

/// A property as it stands in an interface's name: in quotes where a reader could take it for several.
fn formatted(property: &str) -> std::borrow::Cow<'_, str> {
    if property.contains([',', '\'', '"', '{', '}']) {
        // A string always serialises.
        serde_json::to_string(property).unwrap_or_default().into()
    } else {
        property.into()
    }
}

/// What makes an object plain, by string index: most objects are told by a number.
struct Plain {
    name: Option<u32>,
}

impl Plain {
    fn of(graph: &Graph) -> Self {
        Self { name: graph.strings().find("Object") }
    }

    fn is(&self, graph: &Graph, node: Node) -> bool {
        graph.kind(node) == NodeKind::Object
            && self.name.is_some_and(|name| name == graph.name_index(node) || is_plain(graph, node))
    }
}

/// A state of the search: what is next after the properties so far, in ascending order.
#[derive(Debug, Default)]
struct Branch<'i> {
    next: BTreeMap<&'i str, usize>,
    /// The number of properties and the place in the list of the interface that is complete here.
    complete: Option<(usize, usize)>,
}

/// Finds the interface that fits a list of properties.
pub(crate) struct Matcher<'i> {
    interfaces: &'i Interfaces,
    branches: Vec<Branch<'i>>,
}

impl<'i> Matcher<'i> {
    pub fn new(interfaces: &'i Interfaces) -> Self {
        let mut branches = vec![Branch::default()];
        for (at, interface) in interfaces.list.iter().enumerate() {
            let mut sorted: Vec<&str> = interface.properties.iter().map(|property| &**property).collect();
            sorted.sort_unstable();
            let mut branch = 0;
            for property in sorted {
                let new = branches.len();
                branch = *branches[branch].next.entry(property).or_insert(new);
                if branch == new {
                    branches.push(Branch::default());
                }
            }
            // Of two with the same properties in another order the commoner one counts.
            branches[branch].complete.get_or_insert((interface.properties.len(), at));
        }
        Self { interfaces, branches }
    }

    /// The name of the interface that an object with the properties `names` goes by; `None` where it fits none.
    pub fn find<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<&'i str> {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let mut open = vec![0];
        let mut best: Option<(usize, usize)> = None;
        for name in names {
            // What the name itself opens is looked at from the next name on.
            for at in 0..open.len() {
                let Some(&next) = self.branches[open[at]].next.get(name) else { continue };
                if open.contains(&next) {
                    continue;
                }
                open.push(next);
                if let Some(complete) = self.branches[next].complete
                    && best.is_none_or(|(properties, place)| {
                        complete.0 > properties || (complete.0 == properties && complete.1 < place)
                    })
                {
                    best = Some(complete);
                }
            }
            // Nothing that ascends from here can fit.
            open.retain(|&branch| {
                self.branches[branch].next.last_key_value().is_some_and(|(&last, _)| last > name)
            });
        }
        best.map(|(_, at)| &*self.interfaces.list[at].name)
    }
}

/// The lists of properties that plain objects have, each once for all that share a layout.
pub(crate) struct Lists<'g> {
    graph: &'g Graph,
    plain: Plain,
    /// By layout, the number of its list plus one.
    by_layout: Vec<u32>,
    /// One node of each list.
    nodes: Vec<Node>,
}

impl<'g> Lists<'g> {
    pub fn new(graph: &'g Graph) -> Result<Self> {
        let by_layout = filled(0, graph.layout_count())?;
        Ok(Self { graph, plain: Plain::of(graph), by_layout, nodes: Vec::new() })
    }

    /// The number of `node`'s list, from 0 on as they are met; `None` where it is no plain object.
    pub fn number(&mut self, node: Node) -> Option<u32> {
        if !self.plain.is(self.graph, node) {
            return None;
        }
        let next = self.nodes.len() as u32 + 1;
        let known = match self.graph.layout(node) {
            Some(layout) => &mut self.by_layout[layout as usize],
            None => &mut 0,
        };
        if *known == 0 {
            *known = next;
            self.nodes.push(node);
        }
        Some(*known - 1)
    }

    /// The properties in list `number`.
    pub fn properties(&self, number: u32) -> impl Iterator<Item = &'g str> {
        properties(self.graph, self.nodes[number as usize])
    }
}
