; A kitchen: the plate stands on the table.
(define (problem clean_plate_shelf)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Sink_bar_01_bar_SinkBasin DiningTable_bar_01 Shelf_bar_01 Cabinet_bar_01 - receptacle
    Plate_bar_01 Fork_bar_01 Cup_bar_01 - object
    SinkBasinType DiningTableType ShelfType CabinetType - rtype
    PlateType ForkType CupType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Sink_bar_01_bar_SinkBasin SinkBasinType) (receptacleAtLocation Sink_bar_01_bar_SinkBasin loc_bar_1)
    (receptacleType DiningTable_bar_01 DiningTableType) (receptacleAtLocation DiningTable_bar_01 loc_bar_2)
    (receptacleType Shelf_bar_01 ShelfType) (receptacleAtLocation Shelf_bar_01 loc_bar_3)
    (receptacleType Cabinet_bar_01 CabinetType) (receptacleAtLocation Cabinet_bar_01 loc_bar_4) (openable Cabinet_bar_01)
    (objectType Plate_bar_01 PlateType) (inReceptacle Plate_bar_01 DiningTable_bar_01) (objectAtLocation Plate_bar_01 loc_bar_2)
    (pickupable Plate_bar_01) (heatable Plate_bar_01) (coolable Plate_bar_01) (cleanable Plate_bar_01)
    (objectType Fork_bar_01 ForkType) (inReceptacle Fork_bar_01 DiningTable_bar_01) (objectAtLocation Fork_bar_01 loc_bar_2)
    (pickupable Fork_bar_01) (cleanable Fork_bar_01)
    (objectType Cup_bar_01 CupType) (inReceptacle Cup_bar_01 Cabinet_bar_01) (objectAtLocation Cup_bar_01 loc_bar_4)
    (pickupable Cup_bar_01) (heatable Cup_bar_01) (coolable Cup_bar_01) (cleanable Cup_bar_01)
    (canContain SinkBasinType PlateType) (canContain SinkBasinType ForkType) (canContain SinkBasinType CupType)
    (canContain DiningTableType PlateType) (canContain DiningTableType ForkType) (canContain DiningTableType CupType)
    (canContain ShelfType PlateType) (canContain ShelfType ForkType) (canContain ShelfType CupType)
    (canContain CabinetType PlateType) (canContain CabinetType ForkType) (canContain CabinetType CupType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o PlateType) (receptacleType ?r ShelfType) (cleanable ?o) (isClean ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
