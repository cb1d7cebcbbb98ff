package merkle

// TilesOfHeight is Tiles for tiles of other heights, so that small trees have many.
var TilesOfHeight = tilesOf
