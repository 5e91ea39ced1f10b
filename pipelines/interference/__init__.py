"""Do tasks and scenarios help or hurt one another? The joint model beside models that know less.

    found = study(config, Path("data"), Path("out/shop/interference"))

The data steps run once. Then the joint model is trained, a model of each task alone and, where
wanted, a model of each scenario's rows, all with the same seeds; their figures on the test rows are
compared, with intervals. All are components of one run, so that they are cached, and an interrupted
run goes on.
"""
