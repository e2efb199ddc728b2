package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// spelling is where the two pieces of a name are.
type spelling struct{ shared, rest []byte }

func (s *spelling) size() int { return len(s.shared) + len(s.rest) }

// spelling finds a name; it is empty for one that does not exist.
func (f *File) spelling(name uint32) spelling {
	names, b := f.sections[sectionNames], f.sections[sectionNameBytes]
	if uint64(name)+1 >= uint64(len(names)/nameSize) {
		return spelling{}
	}
	e := names[uint64(name)*nameSize:][:2*nameSize]
	whole, shared := uint64(binary.LittleEndian.Uint32(e)), uint64(binary.LittleEndian.Uint32(e[4:]))
	rest, end := uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[nameSize+8:]))
	if whole+shared > uint64(len(b)) || rest > end || end > uint64(len(b)) || shared+end-rest > longestName {
		return spelling{}
	}
	return spelling{b[whole : whole+shared], b[rest:end]}
}

// decodeNames replaces the numbers of names in the locations from start on.
func (f *File) decodeNames(dst *breakpad.Locations, start int) {
	list := dst.List[start:]
	lastFile, fileName := uint32(undefined), []byte(nil)
	for i := range list {
		l := &list[i]
		rva, name := unpack(l.FunctionRVA)
		l.FunctionRVA = uint64(rva)
		l.Function = f.decode(dst, name)
		rva, name = unpack(l.LineRVA)
		l.LineRVA = uint64(rva)
		if name != lastFile { // most neighbours share it
			lastFile, fileName = name, f.decode(dst, name)
		}
		l.File = fileName
	}
}

func (f *File) decode(dst *breakpad.Locations, name uint32) []byte {
	s := f.spelling(name)
	if s.size() == 0 {
		return nil
	}
	room := dst.Room(s.size())
	copy(room[copy(room, s.shared):], s.rest)
	return room
}
