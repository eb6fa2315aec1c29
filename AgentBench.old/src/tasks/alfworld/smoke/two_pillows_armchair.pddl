; A living room: one pillow on the sofa, one on the ottoman.
(define (problem two_pillows_armchair)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    ArmChair_bar_01 Sofa_bar_01 Ottoman_bar_01 CoffeeTable_bar_01 - receptacle
    Pillow_bar_01 Pillow_bar_02 RemoteControl_bar_01 - object
    ArmChairType SofaType OttomanType CoffeeTableType - rtype
    PillowType RemoteControlType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType ArmChair_bar_01 ArmChairType) (receptacleAtLocation ArmChair_bar_01 loc_bar_1)
    (receptacleType Sofa_bar_01 SofaType) (receptacleAtLocation Sofa_bar_01 loc_bar_2)
    (receptacleType Ottoman_bar_01 OttomanType) (receptacleAtLocation Ottoman_bar_01 loc_bar_3)
    (receptacleType CoffeeTable_bar_01 CoffeeTableType) (receptacleAtLocation CoffeeTable_bar_01 loc_bar_4)
    (objectType Pillow_bar_01 PillowType) (inReceptacle Pillow_bar_01 Sofa_bar_01) (objectAtLocation Pillow_bar_01 loc_bar_2)
    (pickupable Pillow_bar_01)
    (objectType Pillow_bar_02 PillowType) (inReceptacle Pillow_bar_02 Ottoman_bar_01) (objectAtLocation Pillow_bar_02 loc_bar_3)
    (pickupable Pillow_bar_02)
    (objectType RemoteControl_bar_01 RemoteControlType) (inReceptacle RemoteControl_bar_01 CoffeeTable_bar_01) (objectAtLocation RemoteControl_bar_01 loc_bar_4)
    (pickupable RemoteControl_bar_01)
    (canContain ArmChairType PillowType) (canContain ArmChairType RemoteControlType)
    (canContain SofaType PillowType) (canContain SofaType RemoteControlType)
    (canContain OttomanType PillowType) (canContain OttomanType RemoteControlType)
    (canContain CoffeeTableType PillowType) (canContain CoffeeTableType RemoteControlType)
)
(:goal
    (exists (?r - receptacle ?o1 - object ?o2 - object)
        (and (not (= ?o1 ?o2)) (receptacleType ?r ArmChairType)
             (objectType ?o1 PillowType) (objectType ?o2 PillowType)
             (inReceptacle ?o1 ?r) (inReceptacle ?o2 ?r)))
)
(:metric minimize (total-cost))
)
