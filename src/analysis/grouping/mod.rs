//! The classes that DevTools shows, to the byte: its `calculateObjectNames`, `applyInterfaceDefinitions` and `classKeyInternal`.
//!
//! Three things set them apart from the names in the file. Plain objects are told apart by their properties: `{id, name}` (see
//! [`interfaces`]). Objects whose constructor has a place in the source are told apart by that place, so that two classes `Session` of two
//! files are two rows. And what belongs to no document any more is called so (see [`detached`]).

mod detached;
mod interfaces;

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::class::{Classes, kind_class};
use crate::error::Result;
use crate::graph::spare::Spare;
use crate::graph::{Graph, Node, NodeKind, filled};
use interfaces::Lists;
pub(crate) use interfaces::{Interfaces, Matcher};

const UNSEEN: u32 = u32::MAX;

/// One row of DevTools' Summary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    /// The class.
    pub name: Box<str>,
    /// Whether its constructor is written somewhere: groups of one name are told apart by where.
    pub placed: bool,
}

/// The group of every node.
#[derive(Debug)]
pub(crate) struct Grouping {
    /// By node, the number of its group.
    pub by_node: Vec<u32>,
    /// The groups, by number.
    pub groups: Vec<Group>,
}

impl Grouping {
    /// The groups of `graph`, its plain objects told apart by `interfaces`: 4 bytes a node.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn of(graph: &Graph, interfaces: &Interfaces, spare: &mut Spare) -> Result<Self> {
        Self::with(graph, Plainly::Matched(Matcher::new(interfaces), Vec::new()), spare)
    }

    /// The same before it is known by which interfaces plain objects go: each list of properties is a group, whose name is a mark and
    /// the list's number. With the lists, by number.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn by_list(graph: &Graph, spare: &mut Spare) -> Result<(Self, Vec<List>)> {
        let grouping = Self::with(graph, Plainly::Listed, spare)?;
        let mut lists = Lists::new(graph)?;
        let mut kept: Vec<List> = Vec::new();
        for node in graph.nodes() {
            if let Some(number) = lists.number(node)
                && number as usize == kept.len()
            {
                kept.push(lists.properties(number).map(Box::from).collect());
            }
        }
        Ok((grouping, kept))
    }

    /// The classes as they stand in the file.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn by_name(graph: &Graph, spare: &mut Spare) -> Result<Self> {
        let classes = Classes::of(graph)?;
        let mut by_node = spare.empty(graph.node_count())?;
        by_node.extend(graph.nodes().map(|node| classes.get(node)));
        let group = |name: &&str| Group { name: (*name).into(), placed: false };
        Ok(Self { by_node, groups: classes.names().iter().map(group).collect() })
    }

    fn with<'g>(graph: &'g Graph, plainly: Plainly<'g>, spare: &mut Spare) -> Result<Self> {
        let mut namer = Namer::new(graph, plainly)?;
        let mut by_node = spare.filled(0, graph.node_count())?;
        let mut places = graph.placed_nodes().iter().peekable();
        for (node, slot) in (0..).zip(&mut by_node) {
            let mut place = None;
            while let Some(&(found, at)) = places.next_if(|(placed, _)| *placed <= node) {
                place = (found == node).then_some(at);
            }
            *slot = namer.group(node, place);
        }
        Ok(Self { by_node, groups: namer.groups })
    }

    /// The class of `node`.
    pub fn name(&self, node: Node) -> &str {
        &self.groups[self.by_node[node as usize] as usize].name
    }
}

/// The properties of a plain object.
pub(crate) type List = Vec<Box<str>>;

/// What the name of a group of plain objects starts with while its interface is not known. V8's names are C strings.
const MARK: char = '\0';

/// The number of the list in the name of a group from [`Grouping::by_list`].
pub(crate) fn list_of(name: &str) -> Option<usize> {
    name.strip_prefix(MARK)?.parse().ok()
}

/// How plain objects are named.
enum Plainly<'g> {
    /// By an interface; with the number of its name, by list.
    Matched(Matcher<'g>, Vec<u32>),
    /// By the number of the list.
    Listed,
}

/// Gives nodes their groups, one after the other.
struct Namer<'g> {
    graph: &'g Graph,
    plainly: Plainly<'g>,
    lists: Lists<'g>,
    detached: HashMap<Node, ()>,
    /// By text, the number of a name.
    by_text: HashMap<Box<str>, u32>,
    /// By number of a name: its group without a place, and the place and group of the node before.
    names: Vec<Name>,
    /// By string index, the number of the name of what is called so.
    by_string: Vec<u32>,
    by_kind: [u32; 32],
    by_place: FxHashMap<(u32, u32), u32>,
    groups: Vec<Group>,
}

struct Name {
    text: Box<str>,
    plain: u32,
    last: Option<(u32, u32)>,
}

impl<'g> Namer<'g> {
    fn new(graph: &'g Graph, plainly: Plainly<'g>) -> Result<Self> {
        Ok(Self {
            graph,
            plainly,
            lists: Lists::new(graph)?,
            detached: detached::nodes(graph)?,
            by_text: HashMap::new(),
            names: Vec::new(),
            by_string: filled(UNSEEN, graph.strings().len())?,
            by_kind: [UNSEEN; 32],
            by_place: FxHashMap::default(),
            groups: Vec::new(),
        })
    }

    fn group(&mut self, node: Node, place: Option<u32>) -> u32 {
        let kind = self.graph.kind(node);
        let name = match kind {
            NodeKind::Object => match self.lists.number(node) {
                Some(list) => self.name_of_list(list),
                None => self.name_of(node),
            },
            NodeKind::Native if !self.detached.is_empty() && self.detached.contains_key(&node) => {
                let name = format!("Detached {}", self.graph.name(node));
                self.name(of_markup(&name))
            }
            NodeKind::Native => self.name_of(node),
            kind => {
                if self.by_kind[kind as usize] == UNSEEN {
                    self.by_kind[kind as usize] = self.name(kind_class(kind));
                }
                self.by_kind[kind as usize]
            }
        };
        match place {
            Some(place) if kind == NodeKind::Object => self.placed(name, place),
            _ => self.plain(name),
        }
    }

    /// The number of the name of the plain objects with this list.
    fn name_of_list(&mut self, list: u32) -> u32 {
        match &self.plainly {
            Plainly::Listed => self.name(format!("{MARK}{list}")),
            Plainly::Matched(_, names) if (list as usize) < names.len() => names[list as usize],
            Plainly::Matched(matcher, _) => {
                let interface = matcher.find(self.lists.properties(list)).unwrap_or("Object");
                let name = self.name(interface);
                // Lists are numbered as they are met.
                if let Plainly::Matched(_, names) = &mut self.plainly {
                    names.push(name);
                }
                name
            }
        }
    }

    /// The number of the name by which `node` goes in the file.
    fn name_of(&mut self, node: Node) -> u32 {
        let index = self.graph.name_index(node) as usize;
        if self.by_string[index] == UNSEEN {
            self.by_string[index] = self.name(of_markup(self.graph.name(node)));
        }
        self.by_string[index]
    }

    fn name(&mut self, text: impl AsRef<str>) -> u32 {
        let text = text.as_ref();
        if let Some(&number) = self.by_text.get(text) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(Name { text: text.into(), plain: UNSEEN, last: None });
        self.by_text.insert(text.into(), number);
        number
    }

    fn plain(&mut self, name: u32) -> u32 {
        let known = &mut self.names[name as usize];
        if known.plain == UNSEEN {
            known.plain = self.groups.len() as u32;
            self.groups.push(Group { name: known.text.clone(), placed: false });
        }
        known.plain
    }

    fn placed(&mut self, name: u32, place: u32) -> u32 {
        let known = &mut self.names[name as usize];
        if let Some((last, group)) = known.last
            && last == place
        {
            return group;
        }
        let group = *self.by_place.entry((place, name)).or_insert_with(|| {
            self.groups.push(Group { name: known.text.clone(), placed: true });
            self.groups.len() as u32 - 1
        });
        known.last = Some((place, group));
        group
    }
}

/// `<div id="a">` as `<div>`: elements of a document go by their tag.
fn of_markup(name: &str) -> std::borrow::Cow<'_, str> {
    let searched = match name {
        _ if name.starts_with('<') => 0,
        _ if name.starts_with("Detached <") => "Detached <".len(),
        _ => return name.into(),
    };
    match name[searched..].find(' ') {
        Some(space) => format!("{}>", &name[..searched + space]).into(),
        None => name.into(),
    }
}
