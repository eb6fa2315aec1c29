; A bedroom: the lamp stands on the desk, the book lies on the bed.
(define (problem examine_book_desklamp)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Desk_bar_01 Bed_bar_01 Shelf_bar_01 Drawer_bar_01 - receptacle
    DeskLamp_bar_01 Book_bar_01 Pillow_bar_01 Pencil_bar_01 - object
    DeskType BedType ShelfType DrawerType - rtype
    DeskLampType BookType PillowType PencilType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Desk_bar_01 DeskType) (receptacleAtLocation Desk_bar_01 loc_bar_1)
    (receptacleType Bed_bar_01 BedType) (receptacleAtLocation Bed_bar_01 loc_bar_2)
    (receptacleType Shelf_bar_01 ShelfType) (receptacleAtLocation Shelf_bar_01 loc_bar_3)
    (receptacleType Drawer_bar_01 DrawerType) (receptacleAtLocation Drawer_bar_01 loc_bar_4) (openable Drawer_bar_01)
    (objectType DeskLamp_bar_01 DeskLampType) (inReceptacle DeskLamp_bar_01 Desk_bar_01) (objectAtLocation DeskLamp_bar_01 loc_bar_1)
    (toggleable DeskLamp_bar_01)
    (objectType Book_bar_01 BookType) (inReceptacle Book_bar_01 Bed_bar_01) (objectAtLocation Book_bar_01 loc_bar_2)
    (pickupable Book_bar_01)
    (objectType Pillow_bar_01 PillowType) (inReceptacle Pillow_bar_01 Bed_bar_01) (objectAtLocation Pillow_bar_01 loc_bar_2)
    (pickupable Pillow_bar_01)
    (objectType Pencil_bar_01 PencilType) (inReceptacle Pencil_bar_01 Desk_bar_01) (objectAtLocation Pencil_bar_01 loc_bar_1)
    (pickupable Pencil_bar_01)
    (canContain DeskType BookType) (canContain DeskType PillowType) (canContain DeskType PencilType)
    (canContain BedType BookType) (canContain BedType PillowType) (canContain BedType PencilType)
    (canContain ShelfType BookType) (canContain ShelfType PillowType) (canContain ShelfType PencilType)
    (canContain DrawerType BookType) (canContain DrawerType PillowType) (canContain DrawerType PencilType)
)
(:goal
    (exists (?l - location ?r - receptacle ?t - object ?o - object ?a - agent)
        (and (objectType ?t DeskLampType) (toggleable ?t) (isToggled ?t)
             (inReceptacle ?t ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)
             (objectType ?o BookType) (holds ?a ?o)))
)
(:metric minimize (total-cost))
)
