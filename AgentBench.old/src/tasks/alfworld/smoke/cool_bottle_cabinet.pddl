; A kitchen: the bottle stands in the open, both cabinets and the fridge are closed.
(define (problem cool_bottle_cabinet)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Fridge_bar_01 Cabinet_bar_01 Cabinet_bar_02 CounterTop_bar_01 - receptacle
    WineBottle_bar_01 Bowl_bar_01 - object
    FridgeType CabinetType CounterTopType - rtype
    WineBottleType BowlType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Fridge_bar_01 FridgeType) (receptacleAtLocation Fridge_bar_01 loc_bar_1) (openable Fridge_bar_01)
    (receptacleType Cabinet_bar_01 CabinetType) (receptacleAtLocation Cabinet_bar_01 loc_bar_2) (openable Cabinet_bar_01)
    (receptacleType Cabinet_bar_02 CabinetType) (receptacleAtLocation Cabinet_bar_02 loc_bar_3) (openable Cabinet_bar_02)
    (receptacleType CounterTop_bar_01 CounterTopType) (receptacleAtLocation CounterTop_bar_01 loc_bar_4)
    (objectType WineBottle_bar_01 WineBottleType) (inReceptacle WineBottle_bar_01 CounterTop_bar_01) (objectAtLocation WineBottle_bar_01 loc_bar_4)
    (pickupable WineBottle_bar_01) (coolable WineBottle_bar_01)
    (objectType Bowl_bar_01 BowlType) (inReceptacle Bowl_bar_01 Cabinet_bar_02) (objectAtLocation Bowl_bar_01 loc_bar_3)
    (pickupable Bowl_bar_01) (heatable Bowl_bar_01) (coolable Bowl_bar_01) (cleanable Bowl_bar_01)
    (canContain FridgeType WineBottleType) (canContain FridgeType BowlType)
    (canContain CabinetType WineBottleType) (canContain CabinetType BowlType)
    (canContain CounterTopType WineBottleType) (canContain CounterTopType BowlType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o WineBottleType) (receptacleType ?r CabinetType) (coolable ?o) (isCool ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
