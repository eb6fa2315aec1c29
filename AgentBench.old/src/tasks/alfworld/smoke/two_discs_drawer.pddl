; A study: three discs, a closed drawer.
(define (problem two_discs_drawer)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Drawer_bar_01 Desk_bar_01 Shelf_bar_01 SideTable_bar_01 - receptacle
    CD_bar_01 CD_bar_02 CD_bar_03 Laptop_bar_01 - object
    DrawerType DeskType ShelfType SideTableType - rtype
    CDType LaptopType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Drawer_bar_01 DrawerType) (receptacleAtLocation Drawer_bar_01 loc_bar_1) (openable Drawer_bar_01)
    (receptacleType Desk_bar_01 DeskType) (receptacleAtLocation Desk_bar_01 loc_bar_2)
    (receptacleType Shelf_bar_01 ShelfType) (receptacleAtLocation Shelf_bar_01 loc_bar_3)
    (receptacleType SideTable_bar_01 SideTableType) (receptacleAtLocation SideTable_bar_01 loc_bar_4)
    (objectType CD_bar_01 CDType) (inReceptacle CD_bar_01 Desk_bar_01) (objectAtLocation CD_bar_01 loc_bar_2)
    (pickupable CD_bar_01)
    (objectType CD_bar_02 CDType) (inReceptacle CD_bar_02 Shelf_bar_01) (objectAtLocation CD_bar_02 loc_bar_3)
    (pickupable CD_bar_02)
    (objectType CD_bar_03 CDType) (inReceptacle CD_bar_03 Shelf_bar_01) (objectAtLocation CD_bar_03 loc_bar_3)
    (pickupable CD_bar_03)
    (objectType Laptop_bar_01 LaptopType) (inReceptacle Laptop_bar_01 Desk_bar_01) (objectAtLocation Laptop_bar_01 loc_bar_2)
    (pickupable Laptop_bar_01)
    (canContain DrawerType CDType) (canContain DrawerType LaptopType)
    (canContain DeskType CDType) (canContain DeskType LaptopType)
    (canContain ShelfType CDType) (canContain ShelfType LaptopType)
    (canContain SideTableType CDType) (canContain SideTableType LaptopType)
)
(:goal
    (exists (?r - receptacle ?o1 - object ?o2 - object)
        (and (not (= ?o1 ?o2)) (receptacleType ?r DrawerType)
             (objectType ?o1 CDType) (objectType ?o2 CDType)
             (inReceptacle ?o1 ?r) (inReceptacle ?o2 ?r)))
)
(:metric minimize (total-cost))
)
