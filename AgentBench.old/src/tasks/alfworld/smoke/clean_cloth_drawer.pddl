; A bathroom: the cloth is in the closed cabinet, the drawer is closed.
(define (problem clean_cloth_drawer)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Sink_bar_01_bar_SinkBasin Cabinet_bar_01 Drawer_bar_01 GarbageCan_bar_01 - receptacle
    Cloth_bar_01 SprayBottle_bar_01 - object
    SinkBasinType CabinetType DrawerType GarbageCanType - rtype
    ClothType SprayBottleType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Sink_bar_01_bar_SinkBasin SinkBasinType) (receptacleAtLocation Sink_bar_01_bar_SinkBasin loc_bar_1)
    (receptacleType Cabinet_bar_01 CabinetType) (receptacleAtLocation Cabinet_bar_01 loc_bar_2) (openable Cabinet_bar_01)
    (receptacleType Drawer_bar_01 DrawerType) (receptacleAtLocation Drawer_bar_01 loc_bar_3) (openable Drawer_bar_01)
    (receptacleType GarbageCan_bar_01 GarbageCanType) (receptacleAtLocation GarbageCan_bar_01 loc_bar_4)
    (objectType Cloth_bar_01 ClothType) (inReceptacle Cloth_bar_01 Cabinet_bar_01) (objectAtLocation Cloth_bar_01 loc_bar_2)
    (pickupable Cloth_bar_01) (cleanable Cloth_bar_01)
    (objectType SprayBottle_bar_01 SprayBottleType) (inReceptacle SprayBottle_bar_01 GarbageCan_bar_01) (objectAtLocation SprayBottle_bar_01 loc_bar_4)
    (pickupable SprayBottle_bar_01)
    (canContain SinkBasinType ClothType) (canContain SinkBasinType SprayBottleType)
    (canContain CabinetType ClothType) (canContain CabinetType SprayBottleType)
    (canContain DrawerType ClothType) (canContain DrawerType SprayBottleType)
    (canContain GarbageCanType ClothType) (canContain GarbageCanType SprayBottleType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o ClothType) (receptacleType ?r DrawerType) (cleanable ?o) (isClean ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
