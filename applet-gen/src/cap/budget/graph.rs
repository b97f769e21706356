//! Strongly connected components, for loops of code and recursion of calls.

/// The components of a graph of `successors.len()` nodes, each after those that it leads to; a
/// successor that is no node is left out. (Tarjan, with an explicit stack: the graph is a CAP's.)
pub(super) fn components(successors: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let count = successors.len();
    let mut order = vec![usize::MAX; count];
    let mut low = vec![usize::MAX; count];
    let mut on_stack = vec![false; count];
    let (mut stack, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..count {
        if order[root] != usize::MAX {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, edge)) = work.pop() {
            if edge == 0 {
                order[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            if let Some(&to) = successors[node].get(edge) {
                work.push((node, edge + 1));
                if to < count && order[to] == usize::MAX {
                    work.push((to, 0));
                } else if to < count && on_stack[to] {
                    low[node] = low[node].min(order[to]);
                }
                continue;
            }
            if low[node] == order[node] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.push(member);
                    if member == node {
                        break;
                    }
                }
                component.sort_unstable();
                found.push(component);
            }
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[node]);
            }
        }
    }
    found
}

/// For each node whether it lies on a circle.
pub(super) fn on_circles(successors: &[Vec<usize>]) -> Vec<bool> {
    let mut circles = vec![false; successors.len()];
    for component in components(successors) {
        for &node in &component {
            circles[node] = component.len() > 1 || successors[node].contains(&node);
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_after_what_they_lead_to() {
        // 0 -> 1 <-> 2 -> 3, 4 -> 4, 3 -> 9 (no node)
        let graph = [vec![1], vec![2], vec![1, 3], vec![9], vec![4]];
        assert_eq!(components(&graph), [vec![3], vec![1, 2], vec![0], vec![4]]);
        assert_eq!(on_circles(&graph), [false, true, true, false, true]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let graph: Vec<Vec<usize>> = (0..200_000).map(|node| vec![node + 1]).collect();
        assert_eq!(components(&graph).len(), graph.len());
    }
}
