; A bedroom: one of three closed drawers hides the watch.
(define (problem put_watch_from_drawer)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 loc_bar_5 - location
    SideTable_bar_01 Drawer_bar_01 Drawer_bar_02 Drawer_bar_03 Dresser_bar_01 - receptacle
    Watch_bar_01 CD_bar_01 Statue_bar_01 - object
    SideTableType DrawerType DresserType - rtype
    WatchType CDType StatueType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType SideTable_bar_01 SideTableType) (receptacleAtLocation SideTable_bar_01 loc_bar_1)
    (receptacleType Drawer_bar_01 DrawerType) (receptacleAtLocation Drawer_bar_01 loc_bar_2) (openable Drawer_bar_01)
    (receptacleType Drawer_bar_02 DrawerType) (receptacleAtLocation Drawer_bar_02 loc_bar_3) (openable Drawer_bar_02)
    (receptacleType Drawer_bar_03 DrawerType) (receptacleAtLocation Drawer_bar_03 loc_bar_4) (openable Drawer_bar_03)
    (receptacleType Dresser_bar_01 DresserType) (receptacleAtLocation Dresser_bar_01 loc_bar_5)
    (objectType Watch_bar_01 WatchType) (inReceptacle Watch_bar_01 Drawer_bar_02) (objectAtLocation Watch_bar_01 loc_bar_3)
    (pickupable Watch_bar_01)
    (objectType CD_bar_01 CDType) (inReceptacle CD_bar_01 Drawer_bar_03) (objectAtLocation CD_bar_01 loc_bar_4)
    (pickupable CD_bar_01)
    (objectType Statue_bar_01 StatueType) (inReceptacle Statue_bar_01 Dresser_bar_01) (objectAtLocation Statue_bar_01 loc_bar_5)
    (pickupable Statue_bar_01)
    (canContain SideTableType WatchType) (canContain SideTableType CDType) (canContain SideTableType StatueType)
    (canContain DrawerType WatchType) (canContain DrawerType CDType) (canContain DrawerType StatueType)
    (canContain DresserType WatchType) (canContain DresserType CDType) (canContain DresserType StatueType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o WatchType) (receptacleType ?r SideTableType) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
