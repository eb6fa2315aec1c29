; A living room: two vases, a lamp on the sofa's side.
(define (problem examine_vase_floorlamp)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Sofa_bar_01 CoffeeTable_bar_01 Shelf_bar_01 Shelf_bar_02 - receptacle
    FloorLamp_bar_01 Vase_bar_01 Vase_bar_02 Newspaper_bar_01 - object
    SofaType CoffeeTableType ShelfType - rtype
    FloorLampType VaseType NewspaperType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Sofa_bar_01 SofaType) (receptacleAtLocation Sofa_bar_01 loc_bar_1)
    (receptacleType CoffeeTable_bar_01 CoffeeTableType) (receptacleAtLocation CoffeeTable_bar_01 loc_bar_2)
    (receptacleType Shelf_bar_01 ShelfType) (receptacleAtLocation Shelf_bar_01 loc_bar_3)
    (receptacleType Shelf_bar_02 ShelfType) (receptacleAtLocation Shelf_bar_02 loc_bar_4)
    (objectType FloorLamp_bar_01 FloorLampType) (inReceptacle FloorLamp_bar_01 Sofa_bar_01) (objectAtLocation FloorLamp_bar_01 loc_bar_1)
    (toggleable FloorLamp_bar_01)
    (objectType Vase_bar_01 VaseType) (inReceptacle Vase_bar_01 Shelf_bar_01) (objectAtLocation Vase_bar_01 loc_bar_3)
    (pickupable Vase_bar_01)
    (objectType Vase_bar_02 VaseType) (inReceptacle Vase_bar_02 Shelf_bar_02) (objectAtLocation Vase_bar_02 loc_bar_4)
    (pickupable Vase_bar_02)
    (objectType Newspaper_bar_01 NewspaperType) (inReceptacle Newspaper_bar_01 CoffeeTable_bar_01) (objectAtLocation Newspaper_bar_01 loc_bar_2)
    (pickupable Newspaper_bar_01)
    (canContain SofaType VaseType) (canContain SofaType NewspaperType)
    (canContain CoffeeTableType VaseType) (canContain CoffeeTableType NewspaperType)
    (canContain ShelfType VaseType) (canContain ShelfType NewspaperType)
)
(:goal
    (exists (?l - location ?r - receptacle ?t - object ?o - object ?a - agent)
        (and (objectType ?t FloorLampType) (toggleable ?t) (isToggled ?t)
             (inReceptacle ?t ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)
             (objectType ?o VaseType) (holds ?a ?o)))
)
(:metric minimize (total-cost))
)
