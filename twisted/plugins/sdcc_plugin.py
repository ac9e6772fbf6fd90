"""Makes `twistd sdcc` known."""

from twisted.application.service import ServiceMaker

sdcc = ServiceMaker("SDCC", "sdcc.tap", "A DICOM server that receives, keeps and gives back images.", "sdcc")
