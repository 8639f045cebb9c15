package knots

import (
	"cmp"
	"maps"
	"slices"
)

// Package is one package as its files use each other. Test files do not count.
type Package struct {
	// Path is the folder of the package below its module.
	Path string
	// Files counts its files.
	Files int
	// Cycle is the largest set of files each of which leads to each other one, sorted; nil where no two files do.
	Cycle []string
	// References counts the places at which one file names something that another declares.
	References int
	// Upward counts those references that run against the best order of the files that was found: the order in which the
	// files could be read, each after those that it uses, if there were no such references.
	Upward int
	// Arrows are the pairs of files of which the references that run upward consist, sorted.
	Arrows []Arrow
}

// Arrow says what one file names that another declares.
type Arrow struct {
	From, To string
	// Names are what is named, sorted, each once.
	Names []string
}

func newPackage(path string, files []string, references map[[2]string][]string) Package {
	g := newGraph(files, references)
	p := Package{Path: path, Files: len(files), Cycle: g.largestCycle()}
	place := map[string]int{}
	for i, name := range g.order() {
		place[name] = i
	}
	for pair, names := range references {
		p.References += len(names)
		if place[pair[0]] < place[pair[1]] {
			p.Upward += len(names)
			p.Arrows = append(p.Arrows, Arrow{pair[0], pair[1], slices.Compact(slices.Sorted(slices.Values(names)))})
		}
	}
	slices.SortFunc(p.Arrows, func(a, b Arrow) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return p
}

// graph is a weighted graph of files. Uses[a][b] counts how often a names something of b.
type graph struct {
	nodes []string
	uses  map[string]map[string]int
}

func newGraph(files []string, references map[[2]string][]string) graph {
	g := graph{nodes: slices.Sorted(slices.Values(files)), uses: map[string]map[string]int{}}
	for pair, names := range references {
		if g.uses[pair[0]] == nil {
			g.uses[pair[0]] = map[string]int{}
		}
		g.uses[pair[0]][pair[1]] = len(names)
	}
	return g
}

// largestCycle is the largest strongly connected component of more than one file; of equal ones, the first by name.
func (g graph) largestCycle() []string {
	var largest []string
	for _, component := range g.components() {
		if len(component) < 2 {
			continue
		}
		slices.Sort(component)
		if len(component) > len(largest) || len(component) == len(largest) && slices.Compare(component, largest) < 0 {
			largest = component
		}
	}
	return largest
}

// components are the strongly connected components, by Tarjan's algorithm.
func (g graph) components() [][]string {
	var (
		components [][]string
		stack      []string
		number     = map[string]int{}
		lowest     = map[string]int{}
		onStack    = map[string]bool{}
		visit      func(string)
	)
	visit = func(v string) {
		number[v] = len(number) + 1
		lowest[v] = number[v]
		stack, onStack[v] = append(stack, v), true
		for w := range g.uses[v] {
			if number[w] == 0 {
				visit(w)
				lowest[v] = min(lowest[v], lowest[w])
			} else if onStack[w] {
				lowest[v] = min(lowest[v], number[w])
			}
		}
		if lowest[v] != number[v] {
			return
		}
		at := slices.Index(stack, v)
		components = append(components, slices.Clone(stack[at:]))
		for _, w := range stack[at:] {
			onStack[w] = false
		}
		stack = stack[:at]
	}
	for _, v := range g.nodes {
		if number[v] == 0 {
			visit(v)
		}
	}
	return components
}

// order lists the files so that few references run from an earlier file to a later one (Eades, Lin and Smyth, "A fast
// and effective heuristic for the feedback arc set problem"): the used before their users.
func (g graph) order() []string {
	left := map[string]bool{}
	for _, v := range g.nodes {
		left[v] = true
	}
	out := func(v string) (n int) {
		for w, weight := range g.uses[v] {
			if left[w] {
				n += weight
			}
		}
		return n
	}
	in := func(v string) (n int) {
		for u := range left {
			n += g.uses[u][v]
		}
		return n
	}
	var first, last []string
	for len(left) > 0 {
		names := slices.Sorted(maps.Keys(left))
		next := names[0]
		for _, v := range names {
			switch {
			case out(v) == 0:
				first, next = append(first, v), ""
			case in(v) == 0:
				last, next = append(last, v), ""
			case in(v)-out(v) > in(next)-out(next):
				next = v
				continue
			default:
				continue
			}
			delete(left, v)
			break
		}
		if next != "" {
			first = append(first, next)
			delete(left, next)
		}
	}
	slices.Reverse(last)
	return append(first, last...)
}
