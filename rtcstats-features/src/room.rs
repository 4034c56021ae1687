//! Room in lists of large elements, of which every live session has some.

/// Makes room for some more, where there is none left: a quarter instead of twice as much.
pub(crate) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(more_than(list.len()));
    }
}

/// Replaces what is in a list.
pub(crate) fn fill<T>(list: &mut Vec<T>, elements: impl Iterator<Item = T>) {
    list.clear();
    for element in elements {
        make_room(list);
        list.push(element);
    }
}

/// How many more there may be of so many.
pub(crate) fn more_than(count: usize) -> usize {
    count / 4 + 2
}
