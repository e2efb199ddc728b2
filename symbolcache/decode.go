package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// spelling is where a name is in the section of names: what it shares with a
// name that is written whole, and the rest. The zero spelling is the empty name.
type spelling struct{ whole, shared, rest, size uint32 }

func readSpelling(b []byte) spelling {
	_ = b[nameSize-1]
	le := binary.LittleEndian
	return spelling{le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])}
}

// pieces are the bytes of a name; none where the file is damaged.
func (f *File) pieces(s spelling) (shared, rest []byte) {
	b := f.sections[sectionNames]
	wholeEnd, restEnd := uint64(s.whole)+uint64(s.shared), uint64(s.rest)+uint64(s.size)
	if wholeEnd > uint64(len(b)) || restEnd > uint64(len(b)) || uint64(s.shared)+uint64(s.size) > longestName {
		return nil, nil
	}
	return b[s.whole:wholeEnd], b[s.rest:restEnd]
}

// decodeNames joins the two pieces of the names in the locations from start on,
// which stand in Function and File, and decodes the files, whose indices are in
// the upper halves of LineRVA. That the pieces of all names are found before
// the first is copied lets the processor fetch them together.
func (f *File) decodeNames(dst *breakpad.Locations, start, size int) {
	list := dst.List[start:]
	room := dst.Room(size)
	lastFile, fileName := uint32(undefined), []byte(nil)
	for i := range list {
		l := &list[i]
		n := copy(room, l.Function)
		n += copy(room[n:], l.File)
		l.Function, room = room[:n:n], room[n:]
		file := uint32(l.LineRVA >> 32)
		l.LineRVA &= maxRVA
		if file != lastFile { // most neighbours share it
			lastFile, fileName = file, f.decodeFile(dst, file)
		}
		l.File = fileName
	}
}

func (f *File) decodeFile(dst *breakpad.Locations, index uint32) []byte {
	if index == undefined {
		return nil
	}
	shared, rest := f.pieces(readSpelling(f.sections[sectionFiles][uint64(index)*nameSize:]))
	room := dst.Room(len(shared) + len(rest))
	copy(room[copy(room, shared):], rest)
	return room
}
