; A study: the mug stands on the shelf.
(define (problem put_mug_desk)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 loc_bar_5 - location
    Desk_bar_01 Shelf_bar_01 Drawer_bar_01 Drawer_bar_02 Bed_bar_01 - receptacle
    Mug_bar_01 Book_bar_01 Pen_bar_01 KeyChain_bar_01 - object
    DeskType ShelfType DrawerType BedType - rtype
    MugType BookType PenType KeyChainType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Desk_bar_01 DeskType) (receptacleAtLocation Desk_bar_01 loc_bar_1)
    (receptacleType Shelf_bar_01 ShelfType) (receptacleAtLocation Shelf_bar_01 loc_bar_2)
    (receptacleType Drawer_bar_01 DrawerType) (receptacleAtLocation Drawer_bar_01 loc_bar_3) (openable Drawer_bar_01)
    (receptacleType Drawer_bar_02 DrawerType) (receptacleAtLocation Drawer_bar_02 loc_bar_4) (openable Drawer_bar_02)
    (receptacleType Bed_bar_01 BedType) (receptacleAtLocation Bed_bar_01 loc_bar_5)
    (objectType Mug_bar_01 MugType) (inReceptacle Mug_bar_01 Shelf_bar_01) (objectAtLocation Mug_bar_01 loc_bar_2)
    (pickupable Mug_bar_01) (heatable Mug_bar_01) (coolable Mug_bar_01) (cleanable Mug_bar_01)
    (objectType Book_bar_01 BookType) (inReceptacle Book_bar_01 Bed_bar_01) (objectAtLocation Book_bar_01 loc_bar_5)
    (pickupable Book_bar_01)
    (objectType Pen_bar_01 PenType) (inReceptacle Pen_bar_01 Drawer_bar_01) (objectAtLocation Pen_bar_01 loc_bar_3)
    (pickupable Pen_bar_01)
    (objectType KeyChain_bar_01 KeyChainType) (inReceptacle KeyChain_bar_01 Desk_bar_01) (objectAtLocation KeyChain_bar_01 loc_bar_1)
    (pickupable KeyChain_bar_01)
    (canContain DeskType MugType) (canContain DeskType BookType) (canContain DeskType PenType) (canContain DeskType KeyChainType)
    (canContain ShelfType MugType) (canContain ShelfType BookType) (canContain ShelfType PenType) (canContain ShelfType KeyChainType)
    (canContain DrawerType MugType) (canContain DrawerType BookType) (canContain DrawerType PenType) (canContain DrawerType KeyChainType)
    (canContain BedType MugType) (canContain BedType BookType) (canContain BedType PenType) (canContain BedType KeyChainType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o MugType) (receptacleType ?r DeskType) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
